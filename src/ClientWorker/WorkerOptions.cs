using System.ComponentModel.DataAnnotations;
using FedKSeed.Contracts;
using FedKSeed.InstructionData;
using FedKSeed.InstructionData.Forms;
using FedKSeed.LanguageModels.Devices;
using Microsoft.Extensions.Options;

namespace FedKSeed.ClientWorker;

/// <summary>Section "Worker".</summary>
public sealed class WorkerOptions
{
    /// <summary>Hugging Face folder of the base model.</summary>
    [Required]
    public string ModelFolder { get; set; } = "";

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

    /// <summary>Clients whose assignments this process works off; none for one that only evaluates.</summary>
    public IReadOnlyList<ClientOptions> Clients { get; set; } = [];

    /// <summary>Assignments worked off at once; each takes a copy of the weights and of one layer's scratch.</summary>
    [Range(1, 256)]
    public int Parallelism { get; set; } = Environment.ProcessorCount;

    /// <summary>Threads of each tensor operation. For small models many assignments at once beat many threads.</summary>
    [Range(1, 256)]
    public int TorchThreads { get; set; } = 1;

    /// <summary>
    /// What the model computes in: float32, bfloat16 or float16. Two workers of one federation may differ: their scalars differ as their
    /// rounding does.
    /// </summary>
    [RegularExpression("^(float32|bfloat16|float16)$", ErrorMessage = "{0} must be float32, bfloat16 or float16.")]
    public string ComputeType { get; set; } = "float32";

    /// <summary>Where the model computes: auto (the first card that can be used, else the CPU), cpu, or cuda:N.</summary>
    [RegularExpression(DeviceSetting.Pattern, ErrorMessage = "{0} must be auto, cpu or cuda:N.")]
    public string Device { get; set; } = "auto";

    /// <summary>Longest example, in tokens.</summary>
    [Range(8, 1_000_000)]
    public int MaximumTokens { get; set; } = 512;

    /// <summary>What becomes of longer ones: CutInput, CutEnd or Drop.</summary>
    public LongExamples LongExamples { get; set; }

    [Range(typeof(TimeSpan), "00:00:00.100", "00:05:00")]
    public TimeSpan Heartbeat { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>Names this process among the workers of its clients.</summary>
    [Required]
    public string Name { get; set; } = $"{Environment.MachineName}-{Environment.ProcessId}";

    /// <summary>How the data files are read.</summary>
    /// <exception cref="InvalidDataException">The names of fields make no sense.</exception>
    internal DataReading Reading() => new() { Format = Format, Fields = FieldNames.Parse(Fields) };
}

public sealed class ClientOptions
{
    [Required, RegularExpression(Names.Pattern, ErrorMessage = "{0} must be " + Names.Rule + ".")]
    public string Name { get; set; } = "";

    /// <summary>Instruction data: JSON lines, JSON, CSV, TSV or Parquet.</summary>
    [Required]
    public string Data { get; set; } = "";
}

/// <summary>Each client is checked like the options that it stands in, and named by its place.</summary>
internal sealed class ClientsValidation : IValidateOptions<WorkerOptions>
{
    public ValidateOptionsResult Validate(string? name, WorkerOptions options)
    {
        var faults = new List<string>();
        foreach (var (client, at) in options.Clients.Select((client, at) => (client, at)))
        {
            var found = new List<ValidationResult>();
            Validator.TryValidateObject(client, new ValidationContext(client), found, validateAllProperties: true);
            faults.AddRange(found.Select(fault => $"Worker:Clients:{at}: {fault.ErrorMessage}"));
        }
        faults.AddRange(options.Clients.GroupBy(client => client.Name).Where(same => same.Key.Length > 0 && same.Count() > 1)
            .Select(same => $"Worker:Clients: {same.Count()} of them are called '{same.Key}'."));
        return faults.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(faults);
    }
}

/// <summary>Section "Federation", as far as a worker needs it.</summary>
public sealed class FederationOptions
{
    /// <summary>Name of the federation: the same for every process of it.</summary>
    public string Name { get; set; } = "federation";

    /// <summary>
    /// SHA-256 of the base model's tensors, 64 hexadecimal digits: fedkseed digest MODEL prints it. A worker whose model has another one
    /// works for nobody and says so at its start; without it, at each assignment.
    /// </summary>
    public string? BaseModelDigest { get; set; }
}

/// <summary>Section "Torch".</summary>
public sealed class TorchOptions
{
    /// <summary>Folder of libtorch, an installed PyTorch's for example; else FEDKSEED_LIBTORCH, else beside the program.</summary>
    public string? LibraryPath { get; set; }
}

/// <summary>Section "Evaluator". A process evaluates when <see cref="Data"/> is set.</summary>
public sealed class EvaluatorOptions
{
    /// <summary>Held-out instruction data.</summary>
    public string? Data { get; set; }

    /// <summary>Examples of it that a version is scored on; 0 for all.</summary>
    [Range(0, int.MaxValue)]
    public int Limit { get; set; }

    /// <summary>Longest answer, in tokens.</summary>
    [Range(1, 100_000)]
    public int MaximumNewTokens { get; set; } = 64;
}
