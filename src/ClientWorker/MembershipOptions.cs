using System.ComponentModel.DataAnnotations;
using FedKSeed.Contracts;
using FedKSeed.InstructionData;
using FedKSeed.InstructionData.Forms;
using FedKSeed.Operations.Settings;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace FedKSeed.ClientWorker;

/// <summary>An element of section "Memberships": a federation that this process works in, its base model there, and its data.</summary>
public sealed class MembershipOptions
{
    internal const string Section = "Memberships";

    /// <summary>Name of the federation.</summary>
    [Required(ErrorMessage = "{0} is not set."), RegularExpression(Names.Pattern, ErrorMessage = "{0} must be " + Names.Rule + ".")]
    public string Federation { get; set; } = "";

    /// <summary>Hugging Face folder of the federation's base model. Memberships with the same folder share the weights.</summary>
    [Required(ErrorMessage = "{0} is not set.")]
    public string ModelFolder { get; set; } = "";

    /// <summary>
    /// SHA-256 of the base model's tensors, 64 hexadecimal digits: fedkseed digest MODEL prints it. A worker whose model has another one
    /// does nothing in this federation and says so at its start; without it, at each assignment.
    /// </summary>
    [RegularExpression("^[0-9a-f]{64}$", ErrorMessage = "{0} must be 64 hexadecimal digits, as fedkseed digest MODEL prints them.")]
    public string? BaseModelDigest { get; set; }

    /// <summary>
    /// Prompt template as JSON; when absent that in the model's folder, else Alpaca's. The same for every client of a federation, and for
    /// its evaluator.
    /// </summary>
    public string? PromptFile { get; set; }

    /// <summary>
    /// How conversations are written; the model's own template when absent. The same for every client of a federation, and for its
    /// evaluator.
    /// </summary>
    public ChatForm? ChatForm { get; set; }

    /// <summary>The form of the data files; told from each file when absent.</summary>
    public DataFormat? Format { get; set; }

    /// <summary>What the data calls a form's fields: <c>instruction=title,output=body</c>.</summary>
    public string? Fields { get; set; }

    /// <summary>Longest example, in tokens.</summary>
    [Range(8, 1_000_000, ErrorMessage = "{0} must be between {1} and {2}.")]
    public int MaximumTokens { get; set; } = 512;

    /// <summary>What becomes of longer ones: CutInput, CutEnd or Drop.</summary>
    public LongExamples LongExamples { get; set; }

    /// <summary>Room, in tokens, that examples leave to the prompt that the federation tunes; 0 where it tunes none.</summary>
    [Range(0, 1_000_000, ErrorMessage = "{0} must be between {1} and {2}.")]
    public int VirtualTokens { get; set; }

    /// <summary>Clients whose assignments this process works off; none for a membership that only evaluates.</summary>
    public IReadOnlyList<ClientOptions> Clients { get; set; } = [];

    /// <summary>What makes this process an evaluator of the federation.</summary>
    public EvaluatorOptions Evaluator { get; set; } = new();

    /// <summary>The evaluator's name; null where the process is none.</summary>
    internal string? EvaluatorName =>
        string.IsNullOrEmpty(Evaluator.Data) ? null : string.IsNullOrEmpty(Evaluator.Name) ? Federation : Evaluator.Name;

    /// <summary>How the data files are read.</summary>
    /// <exception cref="InvalidDataException">The names of fields make no sense.</exception>
    internal DataReading Reading() => new() { Format = Format, Fields = FieldNames.Parse(Fields) };

    /// <summary>
    /// Reads them one by one: the binder leaves an element of a list out without a word where it cannot read it, and a worker would do
    /// nothing in a federation because of a letter in a number.
    /// </summary>
    internal static void Read(List<MembershipOptions> memberships, IConfiguration configuration) =>
        memberships.AddRange(configuration.GetSection(Section).GetChildren().Where(element => element.GetChildren().Any())
            .Select(element => element.Get<MembershipOptions>()!));
}

/// <summary>A data owner whose assignments this process works off.</summary>
public sealed class ClientOptions
{
    /// <summary>The client's own name in the whole store: in every federation that it takes part in, and of no other client.</summary>
    [Required(ErrorMessage = "{0} is not set."), RegularExpression(Names.Pattern, ErrorMessage = "{0} must be " + Names.Rule + ".")]
    public string Name { get; set; } = "";

    /// <summary>Instruction data: JSON lines, JSON, CSV, TSV or Parquet.</summary>
    [Required(ErrorMessage = "{0} is not set.")]
    public string Data { get; set; } = "";
}

/// <summary>A process evaluates a federation's versions when <see cref="Data"/> is set.</summary>
public sealed class EvaluatorOptions
{
    /// <summary>
    /// Names the evaluator's queue; the federation's name when absent. Processes of one name stand in for each other: they have the same
    /// memberships.
    /// </summary>
    [RegularExpression(Names.Pattern, ErrorMessage = "{0} must be " + Names.Rule + ".")]
    public string? Name { get; set; }

    /// <summary>Held-out instruction data.</summary>
    public string? Data { get; set; }

    /// <summary>Examples of it that a version is scored on; 0 for all.</summary>
    [Range(0, int.MaxValue, ErrorMessage = "{0} must be between {1} and {2}.")]
    public int Limit { get; set; }

    /// <summary>Longest answer, in tokens.</summary>
    [Range(1, 100_000, ErrorMessage = "{0} must be between {1} and {2}.")]
    public int MaximumNewTokens { get; set; } = 64;
}

/// <summary>All that is wrong with the memberships, each by its place.</summary>
internal sealed class MembershipsValidation : IValidateOptions<List<MembershipOptions>>
{
    public ValidateOptionsResult Validate(string? name, List<MembershipOptions> options)
    {
        List<string> faults = [.. options.SelectMany((membership, at) => Faults($"{MembershipOptions.Section}:{at}", membership))];
        faults.AddRange(Repeated(options.Select(membership => membership.Federation))
            .Select(federation => $"{MembershipOptions.Section}: more than one of them is of federation '{federation}'."));
        return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);
    }

    private static IEnumerable<string> Faults(string path, MembershipOptions membership)
    {
        foreach (var fault in RecordFaults.Of(path, membership))
            yield return fault;
        foreach (var client in Repeated(membership.Clients.Select(client => client.Name)))
            yield return $"{path}:Clients: more than one of them is called '{client}'.";
        if (membership.Clients.Count == 0 && membership.EvaluatorName is null)
            yield return $"{path} has neither {nameof(membership.Clients)} nor Evaluator:Data: there would be nothing to do in it.";
    }

    private static IEnumerable<string> Repeated(IEnumerable<string> names) =>
        names.Where(name => name.Length > 0).GroupBy(name => name, StringComparer.Ordinal).Where(same => same.Count() > 1)
            .Select(same => same.Key);
}
