using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using FedKSeed.Federation.Log;
using FedKSeed.InstructionData;
using FedKSeed.InstructionData.Forms;
using FedKSeed.LanguageModels.Devices;

namespace FedKSeed.Cli.Verbs;

/// <summary>Options that several verbs have, and what they print for machines.</summary>
internal static class CommonOptions
{
    public static JsonSerializerOptions JsonFormat { get; } = new(JsonSerializerDefaults.Web)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new JsonStringEnumConverter() },
    };

    /// <summary>What data may be written in, for help.</summary>
    public const string DataForms = "JSON lines, JSON, CSV, TSV, each also as .gz or .zst, or Parquet";

    public static Option<FileInfo> Log() => new("--log")
    {
        Description = "The log: events.log of a run.",
        HelpName = "FILE",
        Required = true,
    };

    public static Option<bool> Json() => new("--json") { Description = "Print the result as one line of JSON." };

    public static Option<DirectoryInfo> Model() =>
        new("--model")
        {
            Description = "Model, a Hugging Face folder; or an adapter's, which names its own.",
            HelpName = "DIR",
            Required = true,
        };

    public static Option<DirectoryInfo?> Adapter() =>
        new("--adapter") { Description = "Adapter of the model: a PEFT folder, of LoRA or a prompt.", HelpName = "DIR" };

    public static Option<FileInfo?> Template(string name, string alias)
    {
        var option = new Option<FileInfo?>(name)
        {
            Description = "Prompt template. [default: the model's own, else Alpaca's]",
            HelpName = "FILE",
        };
        option.Aliases.Add(alias);
        return option;
    }

    public static Option<DataFormat?> Format() =>
        Word("--format", DataFormats.All, "Form of the data. [default: told from its first records]", DataFormats.Parse);

    public static Option<string?> Fields() => new("--fields")
    {
        Description = "What the data calls a form's fields: instruction=title,output=body.",
        HelpName = "NAME=NAME,…",
    };

    /// <summary>What becomes of examples that are too long.</summary>
    public static IReadOnlyDictionary<string, LongExamples> LongWays { get; } = new Dictionary<string, LongExamples>(StringComparer.Ordinal)
    {
        ["cut-input"] = LongExamples.CutInput,
        ["cut-end"] = LongExamples.CutEnd,
        ["drop"] = LongExamples.Drop,
    };

    public static LongExamples? LongWay(string name) => LongWays.TryGetValue(name, out var way) ? way : null;

    public static Option<LongExamples?> Long() => Word(
        "--long", [.. LongWays.Keys], "What becomes of longer examples. [default: cut-input, so that answers stay whole]", LongWay);

    public static Option<ChatForm?> ChatForm(string otherwise) =>
        Word("--chat-form", ChatForms.All, $"How conversations are written. [default: {otherwise}]", ChatForms.Parse);

    public static Option<ComputeType?> DataType()
    {
        var types = Enum.GetValues<ComputeType>().ToDictionary(type => type.Name());
        return Word<ComputeType>(
            "--dtype", types.Keys, "What the model is kept and computed with in. [default: float32]",
            name => types.TryGetValue(name, out var type) ? type : null);
    }

    public static Option<DeviceSetting?> Device() => Word<DeviceSetting>(
        "--device", DeviceSetting.Forms, "Where to compute. [default: auto: the first card that can be used, else the CPU]",
        text => DeviceSetting.TryParse(text, out var setting) ? setting : null);

    /// <summary>Of forms that help and errors name, those that are typed as they stand: capitals stand for something else.</summary>
    public static IEnumerable<string> Words(IEnumerable<string> forms) => forms.Where(form => !form.Any(char.IsUpper));

    /// <summary>One of a few words; another one is an error that names them.</summary>
    public static Option<T?> Word<T>(
        string name, IReadOnlyCollection<string> words, string description, Func<string, T?> parse) where T : struct
    {
        var option = new Option<T?>(name)
        {
            HelpName = string.Join('|', words),
            Description = description,
            CustomParser = argument => parse(argument.Tokens[0].Value)
                ?? WithError<T?>(argument, $"{name} must be {string.Join(" or ", words)}, not '{argument.Tokens[0].Value}'."),
        };
        option.CompletionSources.Add([.. Words(words)]);
        return option;
    }

    /// <summary>A number within bounds, both included; the bounds are part of the error.</summary>
    public static Option<T?> Number<T>(string name, string description, T least, T most) where T : struct, INumber<T> =>
        new(name)
        {
            HelpName = "N",
            Description = description,
            CustomParser = argument => NumberText.Number<T>(argument.Tokens[0].Value) is { } value && value >= least && value <= most
                ? value
                : WithError<T?>(
                    argument,
                    NumberText.Fault(
                        name, $"{NumberText.Kind<T>()} between {Text(least)} and {Text(most)}", argument.Tokens[0].Value)),
        };

    private static string Text<T>(T value) where T : INumber<T> => value.ToString(null, CultureInfo.InvariantCulture);

    private static T WithError<T>(ArgumentResult argument, string message)
    {
        argument.AddError(message);
        return default!;
    }

    /// <exception cref="UsageException">It is not there, or a folder.</exception>
    public static void RequireFile(FileInfo file, string option)
    {
        if (UsageException.FaultsOfFile(option, file).ToArray() is { Length: > 0 } faults)
            throw new UsageException(faults);
    }

    /// <summary>Of an entry of a log, where it stands and what is wrong with it.</summary>
    public static string Describe(FileInfo log, InvalidEntryException fault) =>
        $"{log.Name}: entry {fault.Sequence} (line {fault.Sequence + 1}) is wrong: {fault.Reason}.";
}
