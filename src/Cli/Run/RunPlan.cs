using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;
using FedKSeed.Federation.Rounds;
using FedKSeed.InstructionData;
using FedKSeed.InstructionData.Forms;
using FedKSeed.LanguageModels;
using FedKSeed.LanguageModels.Devices;
using FedKSeed.LogStore;
using FedKSeed.Perturbation;
using FedKSeed.Perturbation.Adapters;
using FedKSeed.Perturbation.Directions;
using FedKSeed.Tokenization;

namespace FedKSeed.Cli.Run;

/// <summary>
/// Everything that a run depends on: federation.json in its folder. A resumed run reads it back. Defaults suit the sample.
/// </summary>
public sealed record RunPlan
{
    /// <summary>Hugging Face folder of the base model.</summary>
    public string Model { get; init; } = Path.Combine(SamplesFolder, "model");

    /// <summary>
    /// Adapter of the model, a PEFT folder with LoRA: the run begins by merging it, and what it tunes then is that. Null for none.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Adapter { get; init; }

    /// <summary>Folder with a data file for each client, client-*, and one that is held out, held-out.</summary>
    public string Data { get; init; } = Path.Combine(SamplesFolder, "data");

    /// <summary>Prompt template; null for the model's own, else Alpaca's.</summary>
    public string? Prompt { get; init; }

    /// <summary>Form of the data files; null to tell from each file.</summary>
    public DataFormat? Format { get; init; }

    /// <summary>What the data calls a form's fields, as --fields says it; null where they have their own names.</summary>
    public string? Fields { get; init; }

    /// <summary>How conversations are written; null for the model's own template.</summary>
    public ChatForm? ChatForm { get; init; }

    /// <summary>Held-out examples that a version on the way is scored on; 0 for all. Before and after, all are used.</summary>
    public int EvaluationLimit { get; init; } = 128;

    /// <summary>Longest example, in tokens.</summary>
    public int MaximumTokens { get; init; } = 512;

    /// <summary>What becomes of longer ones. The default is what plans mean that do not say it; a new run's says it.</summary>
    public LongExamples LongExamples { get; init; } = LongExamples.CutEnd;

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

    public FederationSettings Federation { get; init; } = new();

    /// <summary>What a run has that nothing is said of.</summary>
    public static RunPlan New => new()
    {
        LongExamples = LongExamples.CutInput,
        Federation = new() { Keep = KeptVersion.Best },
    };

    /// <summary>What a model folder needs beside its weights.</summary>
    private static readonly string[] ModelFiles = ["config.json"];

    /// <summary>Small files of a model folder that Git LFS may hold.</summary>
    private static readonly string[] SmallFiles = [.. ModelFiles, "tokenizer.json", "tokenizer.model", "tokenizer_config.json"];

    private static string SamplesFolder =>
        Environment.GetEnvironmentVariable("FEDKSEED_SAMPLES") is { Length: > 0 } folder ? folder : "samples";

    private static JsonSerializerOptions Json { get; } = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        Converters = { new JsonStringEnumConverter() },
    };

    [JsonIgnore]
    public string HeldOut => DataFolder.Of(Data).HeldOut;

    /// <summary>Data file of each client, by the client's name: that of the file.</summary>
    public IReadOnlyDictionary<string, string> ClientFiles() => new SortedDictionary<string, string>(
        DataFolder.Of(Data).Clients.ToDictionary(client => client.Key, client => client.Value[0]), StringComparer.Ordinal);

    /// <summary>How the data files are read.</summary>
    /// <exception cref="InvalidDataException">The names of fields make no sense.</exception>
    public DataReading Reading() => new() { Format = Format, Fields = FieldNames.Parse(Fields) };

    /// <summary>How the base model is asked.</summary>
    /// <exception cref="InvalidDataException">The prompt template is none.</exception>
    public ModelPrompt ModelPrompt() => InstructionData.ModelPrompt.Of(Model, Prompt, ChatForm);

    public static RunPlan Read(string path)
    {
        try
        {
            var text = File.ReadAllText(path);
            // One that an earlier version wrote is brought to the present form first; of any other, faults are told by its own lines.
            if (JsonNode.Parse(text) is JsonObject json && json["federation"] is JsonObject settings
                && LogProtocol.UpgradeSettings(settings))
                text = json.ToJsonString(Json);
            return JsonSerializer.Deserialize<RunPlan>(text, Json) ?? throw new JsonException("it is null.");
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

    /// <summary>Without the password of a Redis; only its owner may read a file that says where one is.</summary>
    public void Write(string path)
    {
        var plan = Redis is null ? this : this with { Redis = RedisPassword.Without(Redis) };
        OwnersFile.Write(path, JsonSerializer.Serialize(plan, Json) + "\n", isPrivate: Redis is not null);
    }

    /// <summary>What all who take part have in common, without what is of one machine: its data, its devices, its store.</summary>
    public void WriteShared(string path)
    {
        var json = JsonSerializer.SerializeToNode(this, Json)!.AsObject();
        foreach (var own in new[] { nameof(Data), nameof(Device), nameof(ComputeType), nameof(Threads), nameof(Redis) })
            json.Remove(JsonNamingPolicy.CamelCase.ConvertName(own));
        OwnersFile.Write(path, json.ToJsonString(Json) + "\n", isPrivate: false);
    }

    /// <summary>
    /// The plan with what follows from its files: full paths, the base model's digest, and as many clients as a round's quorum asks for,
    /// so that the first round does not start with the first client that announces itself.
    /// </summary>
    public RunPlan Resolve(CancellationToken cancel) => Resolve(ClientFiles().Count, cancel);

    /// <param name="clients">Those that are expected.</param>
    public RunPlan Resolve(int clients, CancellationToken cancel)
    {
        using var checkpoint = Checkpoint.Open(Model);
        return this with
        {
            Model = Path.GetFullPath(Model),
            Data = Path.GetFullPath(Data),
            Prompt = Prompt is null ? null : Path.GetFullPath(Prompt),
            Redis = Redis is null ? null : RedisPassword.With(Redis, Environment.GetEnvironmentVariable(RedisPassword.Variable)),
            Federation = Federation with
            {
                BaseModelDigest = checkpoint.Digest(cancel),
                Directions = Federation.Directions.Resolve(checkpoint),
                MinimumClients = RoundPolicy.QuorumOf(Federation, clients),
            },
        };
    }

    /// <summary>The plan with the adapter that its model comes with merged into a base of its own; itself where there is none.</summary>
    /// <param name="folder">For the base that comes of it.</param>
    public RunPlan WithWholeBase(string folder, CancellationToken cancel)
    {
        var (source, adapter) = PeftFolder.Find(Model, Adapter);
        if (adapter is null)
            return this;
        using var checkpoint = Checkpoint.Open(source);
        var merged = new MergedAdapter(PeftFolder.Read(adapter, checkpoint), checkpoint);
        var still = new Rebuilder(new DirectionSpace { SeedCount = 1, Tensors = [] }, [0], shift: 0);
        RebuiltCheckpoint.Write(checkpoint, still, folder, null, Threads, merged, cancel);
        RebuiltCheckpoint.CopyCompanions(source, folder);
        merged.WriteConfiguration(folder);
        var prompt = Path.Combine(PromptFolder(source, adapter), InstructionData.ModelPrompt.FileName);
        if (File.Exists(prompt))
            File.WriteAllBytes(Path.Combine(folder, InstructionData.ModelPrompt.FileName), File.ReadAllBytes(prompt));
        return this with { Model = Path.GetFullPath(folder), Adapter = null };
    }

    /// <summary>Where it is said how a model is asked: an adapter may say otherwise than its base.</summary>
    internal static string PromptFolder(string model, string? adapter) =>
        adapter is not null && File.Exists(Path.Combine(adapter, InstructionData.ModelPrompt.FileName)) ? adapter : model;

    /// <summary>Everything that is wrong with the plan, files and every broken line of data included; empty when it is sound.</summary>
    /// <param name="withData">Else the data are elsewhere, and are not looked at.</param>
    public IReadOnlyList<string> Faults(bool withData = true)
    {
        // The digest is not the caller's to give; any other will do here.
        var faults = (Federation with { BaseModelDigest = new string('0', 64) }).Faults().Select(RunOptionNames.InWordsOfOptions).ToList();
        Require(Federation.Name.Length > 0, "--name is empty.");
        Require(EvaluationLimit is >= 0, "--evaluation-limit must be 0, for all examples, or more.");
        Require(DeviceSetting.TryParse(Device, out _), $"--device must be {string.Join(" or ", DeviceSetting.Forms)}, not '{Device}'.");
        Require(
            Redis is null || RedisOptions.IsConfiguration(Redis),
            "--redis must be like host:port,password=…,ssl=true: see StackExchange.Redis.");
        Require(MaximumTokens is >= 8 and <= 1_000_000, "--max-tokens must be between 8 and 1000000.");
        Require(Threads is >= 1 and <= 256, "--threads must be between 1 and 256.");
        faults.AddRange(ModelFaults(Model, Adapter));
        var (source, adapter) = (Model, Adapter);
        if (faults.Count == 0)
        {
            (source, adapter) = PeftFolder.Find(Model, Adapter);
            faults.AddRange(AdapterFaults(source, adapter));
        }
        if (Prompt is not null)
            faults.AddRange(UsageException.FaultsOf("--prompt", Prompt, path => PromptTemplate.Load(path)));
        else
            faults.AddRange(UsageException.FaultsOf(
                "--model", PromptFolder(source, adapter), model => InstructionData.ModelPrompt.Of(model)));
        return withData ? WithDataFaults(faults, source) : faults;

        void Require(bool condition, string otherwise)
        {
            if (!condition)
                faults.Add(otherwise);
        }
    }

    /// <summary>What cannot be tuned on a base, and what cannot be merged into it.</summary>
    private IEnumerable<string> AdapterFaults(string source, string? adapter) =>
    [
        .. UsageException.FaultsOf("--peft", source, folder =>
        {
            using var checkpoint = Checkpoint.Open(folder);
            _ = Federation.Directions.Resolve(checkpoint);
            CausalLanguageModel.Check(folder, Federation.Directions.Adapter);
        }),
        .. UsageException.FaultsOf("--adapter", source, folder =>
        {
            using var checkpoint = Checkpoint.Open(folder);
            _ = adapter is null ? null : new MergedAdapter(PeftFolder.Read(adapter, checkpoint), checkpoint);
        }),
    ];

    /// <summary>What else is wrong with the data files, every broken line of them included.</summary>
    private List<string> WithDataFaults(List<string> faults, string model)
    {
        if (!Directory.Exists(Data))
            return [.. faults, $"--data: there is no folder '{Path.GetFullPath(Data)}'."];
        var folder = DataFolder.Of(Data);
        Require(folder.Clients.Count > 0, $"--data: '{Path.GetFullPath(Data)}' holds no client-*{string.Join(", ", DataFile.Extensions)}.");
        faults.AddRange(folder.Clients.Where(client => client.Value.Count > 1)
            .Select(client => $"--data: {client.Key} has several files: {string.Join(", ", client.Value.Select(Path.GetFileName))}."));
        faults.AddRange(folder.Clients.Where(client => !Names.IsSound(client.Key)).Select(client =>
            $"--data: {Path.GetFileName(client.Value[0])} names its client '{client.Key}': it must be {Names.Rule}."));
        faults.AddRange(UsageException.FaultsOf("--fields", Fields ?? "", _ => Reading()));
        if (faults.Exists(fault => fault.StartsWith("--fields", StringComparison.Ordinal)))
            return faults;
        var hasConversations = false;
        foreach (var file in folder.Clients.Values.Select(files => files[0]).Append(folder.HeldOut))
            faults.AddRange(UsageException.FaultsOf(
                "--data", file, path => hasConversations |= DataFile.Load(path, Reading()).Any(example => example is ChatExample)));
        var isModelSound = !faults.Exists(fault => fault.StartsWith("--model", StringComparison.Ordinal));
        if (hasConversations && ChatForm is null && isModelSound && Tokenizer.IsIn(model))
            faults.AddRange(UsageException.FaultsOf("--model", model, folder => Require(
                ExampleEncoder.Load(folder, Tokenizer.Load(folder), PromptTemplate.Alpaca, MaximumTokens).TakesConversations,
                $"--chat-form is needed, one of {string.Join(", ", ChatForms.All)}: the data holds conversations and the model "
                    + "has no chat template and names no known form.")));
        return faults;

        void Require(bool condition, string otherwise)
        {
            if (!condition)
                faults.Add(otherwise);
        }
    }

    /// <summary>What is wrong with a folder that is to be a model's.</summary>
    /// <param name="model">A model's, or an adapter's, which names it.</param>
    /// <param name="adapter">The adapter's, where <paramref name="model"/> is the base.</param>
    internal static IEnumerable<string> ModelFaults(string model, string? adapter = null)
    {
        if (!Directory.Exists(model))
            return [$"--model: there is no folder '{Path.GetFullPath(model)}'."];
        string[] unknown = [.. UsageException.FaultsOf(
            "--model", model, folder => (model, adapter) = PeftFolder.Find(folder, adapter))];
        if (unknown.Length > 0)
            return unknown;
        var missing = ModelFiles.Where(file => !File.Exists(Path.Combine(model, file)))
            .Select(file => $"--model: '{Path.GetFullPath(model)}' is not a model folder: {file} is missing.")
            .Concat(Tokenizer.IsIn(model)
                ? []
                : [$"--model: '{Path.GetFullPath(model)}' is not a model folder: it has neither tokenizer.json nor tokenizer.model."]);
        var pointers = SmallFiles.Select(file => Path.Combine(model, file)).Where(file => File.Exists(file) && GitLfsPointer.Is(file))
            .Select(file => $"--model: {file}: {GitLfsPointer.Problem}");
        var weights = UsageException.FaultsOf("--model", model, folder => Checkpoint.Open(folder).Dispose());
        string[] faults = [.. missing, .. pointers, .. weights];
        if (faults.Length == 0)
            faults = [.. UsageException.FaultsOf("--model", model, folder => CausalLanguageModel.Check(folder))];
        return faults.Length > 0 || adapter is null ? faults : UsageException.FaultsOf("--adapter", adapter, folder =>
        {
            using var source = Checkpoint.Open(model);
            _ = PeftFolder.Read(folder, source);
        });
    }
}
