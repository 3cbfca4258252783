using FedKSeed.Federation.Log;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using FedKSeed.Checkpoints;
using FedKSeed.Federation;
using FedKSeed.Federation.Rounds;
using FedKSeed.InstructionData;
using FedKSeed.InstructionData.Forms;
using FedKSeed.LanguageModels.Devices;
using FedKSeed.Tokenization;

namespace FedKSeed.Cli.Run;

/// <summary>
/// Everything that a run depends on: federation.json in its folder. A resumed run reads it back. Defaults suit the sample.
/// </summary>
public sealed record RunPlan
{
    /// <summary>Hugging Face folder of the base model.</summary>
    public string Model { get; init; } = Path.Combine(SamplesFolder, "model");

    /// <summary>Folder with a data file for each client, client-*, and one that is held out, held-out.</summary>
    public string Data { get; init; } = Path.Combine(SamplesFolder, "data");

    /// <summary>Prompt template; null for Alpaca's.</summary>
    public string? Prompt { get; init; } = DefaultPrompt;

    /// <summary>Form of the data files; null to tell from each file.</summary>
    public DataFormat? Format { get; init; }

    /// <summary>How conversations are written; null for the model's own form.</summary>
    public ChatForm? ChatForm { get; init; }

    /// <summary>Held-out examples that a version on the way is scored on; 0 for all. Before and after, all are used.</summary>
    public int EvaluationLimit { get; init; } = 128;

    /// <summary>Longest example, in tokens; what is longer is cut.</summary>
    public int MaximumTokens { get; init; } = 512;

    /// <summary>Longest answer, in tokens.</summary>
    public int MaximumNewTokens { get; init; } = 64;

    /// <summary>What the model is kept and computed with in.</summary>
    public ComputeType ComputeType { get; init; } = ComputeType.F32;

    /// <summary>Where the model computes: auto, cpu or cuda:N.</summary>
    public string Device { get; init; } = DeviceSetting.Auto.ToString();

    /// <summary>Assignments worked off at once.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>A Redis to use instead of the embedded one.</summary>
    public string? Redis { get; init; }

    public FederationSettings Federation { get; init; } = new() { Keep = KeptVersion.Best };

    /// <summary>What a model folder needs beside its weights.</summary>
    private static readonly string[] ModelFiles = ["config.json"];

    private static string SamplesFolder =>
        Environment.GetEnvironmentVariable("FEDKSEED_SAMPLES") is { Length: > 0 } folder ? folder : "samples";

    private static string? DefaultPrompt => Path.Combine(SamplesFolder, "prompt.json") is var path && File.Exists(path) ? path : null;

    private static JsonSerializerOptions Json { get; } = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        Converters = { new JsonStringEnumConverter() },
    };

    [JsonIgnore]
    public string HeldOut => DataFile.Extensions.Select(extension => Path.Combine(Data, "held-out" + extension)).FirstOrDefault(File.Exists)
        ?? Path.Combine(Data, "held-out.jsonl");

    /// <summary>Data file of each client, by the client's name: that of the file.</summary>
    public IReadOnlyDictionary<string, string> ClientFiles() =>
        new SortedDictionary<string, string>(
            AllClientFiles().GroupBy(ClientName).ToDictionary(files => files.Key, files => files.First()), StringComparer.Ordinal);

    private IEnumerable<string> AllClientFiles() =>
        DataFile.Extensions.SelectMany(extension => Directory.EnumerateFiles(Data, "client-*" + extension));

    private static string ClientName(string path) => Path.GetFileNameWithoutExtension(path);

    public static RunPlan Read(string path)
    {
        try
        {
            var json = JsonNode.Parse(File.ReadAllBytes(path)) as JsonObject ?? throw new JsonException("it is no object.");
            if (json["federation"] is JsonObject settings)
                LogProtocol.UpgradeSettings(settings);
            return json.Deserialize<RunPlan>(Json) ?? throw new JsonException("it is null.");
        }
        catch (JsonException fault)
        {
            throw new UsageException([$"{path}: {Describe(fault)}"]);
        }
    }

    /// <summary>In words of the file: its line and setting, not the program's types.</summary>
    private static string Describe(JsonException fault)
    {
        var setting = fault.Path?.TrimStart('$', '.') is { Length: > 0 } path ? path : "the file";
        var what = fault.Message.Contains("could not be mapped", StringComparison.Ordinal) ? $"there is no setting '{setting}'"
            : fault.Message.Contains("could not be converted", StringComparison.Ordinal)
                ? $"{setting} is not a value of the kind that it takes"
            : "it is not JSON";
        return $"line {fault.LineNumber + 1}: {what}. docs/SETTINGS.md lists all settings.";
    }

    public void Write(string path) => File.WriteAllText(path, JsonSerializer.Serialize(this, Json) + "\n");

    /// <summary>
    /// The plan with what follows from its files: full paths, the base model's digest, and as many clients as a round's quorum asks for,
    /// so that the first round does not start with the first client that announces itself.
    /// </summary>
    public RunPlan Resolve(CancellationToken cancel)
    {
        using var checkpoint = Checkpoint.Open(Model);
        return this with
        {
            Model = Path.GetFullPath(Model),
            Data = Path.GetFullPath(Data),
            Prompt = Prompt is null ? null : Path.GetFullPath(Prompt),
            Federation = Federation with
            {
                BaseModelDigest = checkpoint.Digest(cancel),
                MinimumClients = RoundPolicy.QuorumOf(Federation, ClientFiles().Count),
            },
        };
    }

    /// <summary>Everything that is wrong with the plan, files and every broken line of data included; empty when it is sound.</summary>
    public IReadOnlyList<string> Faults()
    {
        // The digest is not the caller's to give; any other will do here.
        var faults = (Federation with { BaseModelDigest = new string('0', 64) }).Faults().Select(RunOptionNames.InWordsOfOptions).ToList();
        Require(EvaluationLimit is >= 0, "--evaluation-limit must be 0, for all examples, or more.");
        Require(DeviceSetting.TryParse(Device, out _), $"--device must be auto, cpu or cuda:N, not '{Device}'.");
        Require(Threads is >= 1 and <= 256, "--threads must be between 1 and 256.");
        faults.AddRange(ModelFaults(Model));
        if (Prompt is not null)
            faults.AddRange(UsageException.FaultsOf("--prompt", Prompt, path => PromptTemplate.Load(path)));
        if (!Directory.Exists(Data))
            return [.. faults, $"--data: there is no folder '{Path.GetFullPath(Data)}'."];
        var clients = ClientFiles();
        Require(clients.Count > 0, $"--data: '{Path.GetFullPath(Data)}' holds no client-*.jsonl, .json or .parquet.");
        faults.AddRange(AllClientFiles().GroupBy(ClientName).Where(files => files.Skip(1).Any())
            .Select(files => $"--data: {files.Key} has several files: {string.Join(", ", files.Select(Path.GetFileName))}."));
        var hasConversations = false;
        foreach (var file in clients.Values.Append(HeldOut))
            faults.AddRange(UsageException.FaultsOf(
                "--data", file, path => hasConversations |= DataFile.Read(path, Format).Format == DataFormat.Messages));
        if (hasConversations && ChatForm is null && Tokenizer.IsIn(Model))
            faults.AddRange(UsageException.FaultsOf("--model", Model, folder => Require(
                ChatForms.Detect(folder, Tokenizer.Load(folder)) is not null,
                $"--chat-form is needed, one of {string.Join(", ", ChatForms.All)}: the data holds conversations and the model's files "
                    + "name no known form.")));
        return faults;

        void Require(bool condition, string otherwise)
        {
            if (!condition)
                faults.Add(otherwise);
        }
    }

    /// <summary>What is wrong with a folder that is to be a model's.</summary>
    internal static IEnumerable<string> ModelFaults(string model)
    {
        if (!Directory.Exists(model))
            return [$"--model: there is no folder '{Path.GetFullPath(model)}'."];
        var missing = ModelFiles.Where(file => !File.Exists(Path.Combine(model, file)))
            .Select(file => $"--model: '{Path.GetFullPath(model)}' is not a model folder: {file} is missing.")
            .Concat(Tokenizer.IsIn(model) ? []
                : [$"--model: '{Path.GetFullPath(model)}' is not a model folder: tokenizer.json is missing, "
                    + "and there is no tokenizer.model either."]);
        return missing.Concat(UsageException.FaultsOf("--model", model, folder =>
        {
            using var checkpoint = Checkpoint.Open(folder);
        }));
    }
}
