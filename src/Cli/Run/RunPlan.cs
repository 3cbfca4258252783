using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using FedKSeed.Federation;
using FedKSeed.LanguageModels;
using FedKSeed.Perturbation;

namespace FedKSeed.Cli.Run;

/// <summary>Everything that a run depends on: federation.json in its folder. A resumed run reads it back. Defaults suit the sample.</summary>
public sealed record RunPlan
{
    /// <summary>Hugging Face folder of the base model.</summary>
    public string Model { get; init; } = Path.Combine(SamplesFolder, "model");

    /// <summary>Folder with client-*.jsonl and held-out.jsonl.</summary>
    public string Data { get; init; } = Path.Combine(SamplesFolder, "data");

    /// <summary>Prompt template; null for Alpaca's.</summary>
    public string? Prompt { get; init; } = DefaultPrompt;

    /// <summary>Held-out examples that a version on the way is scored on; 0 for all. Before and after, all are used.</summary>
    public int EvaluationLimit { get; init; } = 128;

    /// <summary>Longest example, in tokens; what is longer is cut.</summary>
    public int MaximumTokens { get; init; } = 512;

    /// <summary>Longest answer, in tokens.</summary>
    public int MaximumNewTokens { get; init; } = 64;

    /// <summary>Assignments worked off at once.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>A Redis to use instead of the embedded one.</summary>
    public string? Redis { get; init; }

    public FederationSettings Federation { get; init; } = new();

    /// <summary>What a model folder needs beside its weights.</summary>
    private static readonly string[] ModelFiles = ["config.json", "tokenizer.json"];

    private static string SamplesFolder => Environment.GetEnvironmentVariable("FEDKSEED_SAMPLES") is { Length: > 0 } folder ? folder : "samples";

    private static string? DefaultPrompt => Path.Combine(SamplesFolder, "prompt.json") is var path && File.Exists(path) ? path : null;

    private static JsonSerializerOptions Json { get; } = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        Converters = { new JsonStringEnumConverter() },
    };

    [JsonIgnore]
    public string HeldOut => Path.Combine(Data, "held-out.jsonl");

    /// <summary>Data file of each client, by the client's name: that of the file.</summary>
    public IReadOnlyDictionary<string, string> ClientFiles() =>
        new SortedDictionary<string, string>(
            Directory.EnumerateFiles(Data, "client-*.jsonl").ToDictionary(path => Path.GetFileNameWithoutExtension(path)), StringComparer.Ordinal);

    public static RunPlan Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize<RunPlan>(File.ReadAllBytes(path), Json) ?? throw new JsonException("it is null.");
        }
        catch (JsonException fault)
        {
            throw new UsageException([$"{path}: {fault.Message}"]);
        }
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
        Require(Threads is >= 1 and <= 256, "--threads must be between 1 and 256.");
        faults.AddRange(ModelFaults());
        if (Prompt is not null)
            faults.AddRange(FaultsOfReading(Prompt, "--prompt", path => PromptTemplate.Load(path)));
        if (!Directory.Exists(Data))
            return [.. faults, $"--data: there is no folder '{Path.GetFullPath(Data)}'."];
        var clients = ClientFiles();
        Require(clients.Count > 0, $"--data: '{Path.GetFullPath(Data)}' holds no client-*.jsonl.");
        foreach (var file in clients.Values.Append(HeldOut))
            faults.AddRange(FaultsOfReading(file, "--data", path => InstructionExample.Load(path)));
        return faults;

        void Require(bool condition, string otherwise)
        {
            if (!condition)
                faults.Add(otherwise);
        }
    }

    private IEnumerable<string> ModelFaults()
    {
        if (!Directory.Exists(Model))
            return [$"--model: there is no folder '{Path.GetFullPath(Model)}'."];
        var missing = ModelFiles.Where(file => !File.Exists(Path.Combine(Model, file)))
            .Select(file => $"--model: '{Path.GetFullPath(Model)}' is not a model folder: {file} is missing.");
        return missing.Concat(FaultsOfReading(Model, "--model", folder =>
        {
            using var checkpoint = Checkpoint.Open(folder);
        }));
    }

    private static IEnumerable<string> FaultsOfReading(string path, string option, Action<string> read)
    {
        try
        {
            read(path);
            return [];
        }
        catch (Exception fault) when (fault is InvalidDataException or CheckpointException or IOException or UnauthorizedAccessException)
        {
            return fault.Message.Split(Environment.NewLine).Select(line => $"{option}: {line}");
        }
    }
}
