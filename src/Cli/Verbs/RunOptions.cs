using System.CommandLine;
using System.Globalization;
using System.Numerics;
using System.Text.Json;
using FedKSeed.Cli.Run;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Rates;
using FedKSeed.Federation.Rounds;
using FedKSeed.Federation.Sampling;
using FedKSeed.InstructionData;
using FedKSeed.InstructionData.Forms;
using FedKSeed.LanguageModels.Devices;
using FedKSeed.Perturbation.Adapters;
using FedKSeed.Perturbation.Directions;

namespace FedKSeed.Cli.Verbs;

/// <summary>The options of fedkseed run that make up its plan. One that is left out keeps the plan's own default.</summary>
internal sealed class RunOptions
{
    /// <summary>Heading of what the place of a federation needs.</summary>
    public const string ThisMachine = "This machine";

    private const string Federation = "Federation", Steps = "Steps of a client", Rounds = "Rounds", End = "End of the federation";

    private static readonly RunPlan Defaults = RunPlan.New;


    private readonly List<Option> _all = [];
    private readonly List<(Option Option, AdapterKind Kind)> _ofAdapters = [];
    private readonly Option<string> _peft;
    private string _group = "";
    private readonly List<Func<ParseResult, RunPlan, RunPlan>> _changes = [];

    public RunOptions()
    {
        var settings = Defaults.Federation;
        _group = "Model and data";
        Text(
            "--model",
            "DIR",
            "Base model, a Hugging Face folder. [default: the sample's]",
            (plan, value) => plan with { Model = value });
        Text(
            "--adapter",
            "DIR",
            "Adapter of the base model, a PEFT folder with LoRA: merged into it before the first round.",
            (plan, value) => plan with { Adapter = value });
        Text(
            "--data",
            "DIR",
            $"Folder with a file for each client, client-*, and one that is held out, held-out: {CommonOptions.DataForms}. "
                + "[default: the sample's]",
            (plan, value) => plan with { Data = value });
        Text(
            "--prompt", "FILE", "Prompt template. [default: the model's own, else Alpaca's]",
            (plan, value) => plan with { Prompt = value });
        Word(
            "--dtype", [.. Enum.GetValues<ComputeType>().Select(type => type.Name())],
            "What the model is kept and computed with in. [default: float32]",
            name => Enum.GetValues<ComputeType>().Cast<ComputeType?>().FirstOrDefault(type => type!.Value.Name() == name),
            (plan, value) => plan with { ComputeType = value });
        Word(
            "--format", DataFormats.All, "Form of the data. [default: told from each file]", DataFormats.Parse,
            (plan, value) => plan with { Format = value });
        Text(
            "--fields",
            "NAME=NAME,…",
            "What the data calls a form's fields: instruction=title,output=body.",
            (plan, value) => plan with { Fields = value });
        Parsed<int>(
            "--max-tokens",
            "N",
            $"Longest example. [default: {Defaults.MaximumTokens}]",
            (plan, value) => plan with { MaximumTokens = value });
        Word(
            "--long",
            [.. CommonOptions.LongWays.Keys],
            "What becomes of longer ones. [default: cut-input, so that answers stay whole]",
            CommonOptions.LongWay,
            (plan, value) => plan with { LongExamples = value });
        Word(
            "--chat-form", ChatForms.All, "How conversations are written. [default: the model's own]", ChatForms.Parse,
            (plan, value) => plan with { ChatForm = value });
        _group = Federation;
        Setting<int>("--rounds", $"Rounds. [default: {settings.Rounds}]", (set, value) => set with { Rounds = value });
        _group = Steps;
        Setting<int>(
            "--steps", $"Zeroth-order steps of a client in a round. [default: {settings.StepsPerRound}]",
            (set, value) => set with { StepsPerRound = value });
        Setting<int>("--batch", $"Examples of a step. [default: {settings.BatchSize}]", (set, value) => set with { BatchSize = value });
        _group = "Directions";
        Setting<int>(
            "--seeds",
            $"K, directions in the pool. [default: {settings.Directions.SeedCount}]",
            (set, value) => set with { Directions = set.Directions with { SeedCount = value } });
        _group = Steps;
        Setting<float>(
            "--epsilon", $"Distance of the two points of a step from the weights. [default: {Number(settings.Epsilon)}]",
            (set, value) => set with { Epsilon = value });
        Setting<double>(
            "--learning-rate", $"Learning rate. [default: {Number(settings.LearningRate)}]",
            (set, value) => set with { LearningRate = value });
        Rule<LearningRateSchedule>(
            "--schedule", $"How the learning rate falls. [default: {Word(settings.Schedule.Name)}]",
            (set, value) => set with { Schedule = value });
        _group = "Directions";
        Rule<SamplingRule>(
            "--sampling", $"How seeds are drawn: FedKSeed, or FedKSeed-Pro. [default: {Word(settings.Sampling.Name)}]",
            (set, value) => set with { Sampling = value });
        Text(
            "--scheme",
            string.Join('|', DirectionSchemes.Known),
            $"How seeds become directions. [default: {settings.Directions.Scheme}]",
            (plan, value) => plan with
            {
                Federation = plan.Federation with { Directions = plan.Federation.Directions with { Scheme = value } },
            },
            DirectionSchemes.Known);
        _peft = Text(
            "--peft",
            "PART,…",
            "Tune a part of the model and freeze the rest: full, last:N, or of these words and of patterns of tensor names as many as "
                + $"you like: {string.Join(", ", TensorAliases.All)}. Or add what is tuned: lora, prompt, and bias to a LLaMA without. "
                + "[default: full]",
            (plan, value) => plan with { Federation = plan.Federation with { Directions = Part(plan, value) } },
            TensorAliases.All.Prepend("full").Concat(["lora", "prompt"]));
        AddAdapterOptions();
        _group = "Directions";
        Setting<ulong>(
            "--pool-key",
            $"Key of the pool: another one is another run. [default: {settings.Directions.PoolKey}]",
            (set, value) => set with { Directions = set.Directions with { PoolKey = value } });
        _group = Rounds;
        Setting<int>(
            "--participants", $"Clients asked for in a round; 0 to go by --participation. [default: {settings.ParticipantsPerRound}]",
            (set, value) => set with { ParticipantsPerRound = value });
        Setting<double>(
            "--participation", $"Share of the free clients asked for in a round. [default: {Number(settings.Participation)}]",
            (set, value) => set with { Participation = value });
        Setting<double>(
            "--over-selection",
            $"So many times those asked for are invited; the quorum is of those asked for. [default: {Number(settings.OverSelection)}]",
            (set, value) => set with { OverSelection = value });
        Setting<int>(
            "--minimum-reports", $"With fewer at its deadline a round waits for a second one. [default: {settings.MinimumReports}]",
            (set, value) => set with { MinimumReports = value });
        Setting<int>(
            "--commit-every",
            $"Continuous mode: commit after so many reports of any round; 0 for rounds with a quorum. [default: {settings.CommitEvery}]",
            (set, value) => set with { CommitEvery = value });
        _group = End;
        Time(
            "--time-limit",
            "End at the first commit after so long; 0 for no limit. [default: 0]",
            (set, value) => set with { TimeLimit = value });
        Choice<KeptVersion>(
            "--keep",
            $"Version kept at the end: the last, or the one with the least held-out loss. [default: {Word(settings.Keep.ToString())}]",
            (set, value) => set with { Keep = value });
        Setting<double>(
            "--target-loss", "End when the held-out loss is at most this; 0 for no target. [default: 0]",
            (set, value) => set with { TargetLoss = value });
        _group = Rounds;
        Setting<double>(
            "--quorum", $"Share of a round's clients whose reports close it. [default: {Number(settings.Quorum)}]",
            (set, value) => set with { Quorum = value });
        Time(
            "--deadline",
            $"Time after which a round closes anyhow. [default: {settings.RoundDeadline}]",
            (set, value) => set with { RoundDeadline = value });
        Setting<int>(
            "--staleness", $"Commits that a report may be late. [default: {settings.StalenessBound}]",
            (set, value) => set with { StalenessBound = value });
        Setting<double>(
            "--dropout",
            $"Share of the reports that is lost, by a draw, to see how the others do. [default: {Number(settings.Dropout)}]",
            (set, value) => set with { Dropout = value });
        _group = "Learning rates of clients";
        Rule<ClientRateRule>(
            "--client-rates",
            $"What each client's goes by: one for all, its loss, how far it drifts, a draw. [default: {Word(settings.ClientRates.Name)}]",
            (set, value) => set with { ClientRates = value });
        Rule<ClientRateForm>(
            "--client-rate-form",
            "How that becomes a factor: FedMeZO's, or one that is 1 where clients are alike. "
                + $"[default: {Word(settings.ClientRateForm.Name)}]",
            (set, value) => set with { ClientRateForm = value });
        Setting<double>(
            "--client-rate-spread", $"How far the factors spread about 1. [default: {Number(settings.ClientRateSpread)}]",
            (set, value) => set with { ClientRateSpread = value });
        Setting<int>(
            "--client-rate-window", $"Last reports of a client that its rate goes by. [default: {settings.ClientRateWindow}]",
            (set, value) => set with { ClientRateWindow = value });
        _group = "Evaluation";
        Setting<int>(
            "--evaluate-every", $"Versions between two evaluations; 0 for none. [default: {settings.EvaluateEvery}]",
            (set, value) => set with { EvaluateEvery = value });
        Parsed<int>(
            "--evaluation-limit",
            "N",
            $"Held-out examples for the curve; 0 for all. [default: {Defaults.EvaluationLimit}]",
            (plan, value) => plan with { EvaluationLimit = value });
        _group = Federation;
        var synchronous = Add(
            new Option<bool>("--synchronous") { Description = "Let nothing depend on timing: two runs give the same log." });
        _changes.Add(
            (parsed, plan) => parsed.GetValue(synchronous) ? plan with { Federation = plan.Federation with { Synchronous = true } } : plan);
        Text(
            "--name", "NAME", $"Name of the federation, in its queues and keys. [default: {settings.Name}]",
            (plan, value) => plan with { Federation = plan.Federation with { Name = value } });
        _group = ThisMachine;
        Text(
            "--device", string.Join('|', DeviceSetting.Forms), $"Where the model computes. [default: {Defaults.Device}]",
            (plan, value) => plan with { Device = value }, DeviceSetting.Forms);
        Text("--redis", "CONNECTION", "A Redis to use instead of the embedded store.", (plan, value) => plan with { Redis = value });
        Threads = Parsed<int>(
            "--threads",
            "N",
            "Assignments worked off at once. [default: one a core]",
            (plan, value) => plan with { Threads = value });
        Threads.Aliases.Add("--parallelism");
    }

    /// <summary>May differ when a run is resumed: no result depends on it.</summary>
    public Option Threads { get; }

    public IReadOnlyList<Option> All => _all;

    public RunPlan Plan(ParseResult parsed, RunPlan start) => _changes.Aggregate(start, (plan, change) => change(parsed, plan));

    /// <summary>What is wrong with options that go with others.</summary>
    public IEnumerable<string> Faults(ParseResult parsed, RunPlan plan)
    {
        var adapter = plan.Federation.Directions.Adapter;
        foreach (var (option, kind) in _ofAdapters)
        {
            if (adapter?.Kind != kind && parsed.GetResult(option) is { Implicit: false })
                yield return $"{option.Name} goes with --peft {kind.ToString().ToLowerInvariant()}.";
        }
        if (parsed.GetValue(_peft) is { } words && AdaptersOf(plan, Words(words)).Distinct().ToArray() is { Length: > 1 } several)
            yield return $"--peft: {string.Join(" and ", several).ToLowerInvariant()} exclude each other: a federation has one adapter.";
    }

    private void AddAdapterOptions()
    {
        var settings = new Adapter { Kind = AdapterKind.Lora };
        _group = "Adapters";
        OfAdapter(AdapterKind.Lora, Parsed<int>(
            "--adapter-rank", "N", $"Rank of LoRA. [default: {settings.Rank}]",
            (plan, value) => With(plan, adapter => adapter with { Rank = value })));
        OfAdapter(AdapterKind.Lora, Parsed<double>(
            "--adapter-alpha", "N", $"LoRA counts alpha/rank times. [default: {Number(settings.Alpha)}]",
            (plan, value) => With(plan, adapter => adapter with { Alpha = value })));
        OfAdapter(AdapterKind.Lora, Text(
            "--adapter-targets", "NAME,…",
            "Layers that LoRA is added to, by the end of their names. [default: q_proj,v_proj; c_attn of GPT-2]",
            (plan, value) => With(plan, adapter => adapter with { Targets = Words(value) })));
        var trainA = Add(new Option<bool>("--adapter-train-a")
        {
            Description = "Tune both matrices of LoRA: then a commit is no longer exactly the mean of the clients' models.",
        });
        OfAdapter(AdapterKind.Lora, trainA);
        _changes.Add(
            (parsed, plan) => parsed.GetValue(trainA) ? With(plan, adapter => adapter with { TrainA = true }) : plan);
        OfAdapter(AdapterKind.Prompt, Parsed<int>(
            "--adapter-tokens", "N", $"Virtual tokens of a prompt. [default: {settings.Tokens}]",
            (plan, value) => With(plan, adapter => adapter with { Tokens = value })));
    }

    private void OfAdapter(AdapterKind kind, Option option) => _ofAdapters.Add((option, kind));

    private static RunPlan With(RunPlan plan, Func<Adapter, Adapter> change) => plan.Federation.Directions is { Adapter: { } adapter } space
        ? plan with { Federation = plan.Federation with { Directions = space with { Adapter = change(adapter) } } }
        : plan;

    private static string[] Words(string words) => words.Split(',', StringSplitOptions.TrimEntries);

    /// <summary>Options that were given.</summary>
    public IEnumerable<Option> Given(ParseResult parsed) => _all.Where(option => parsed.GetResult(option) is { Implicit: false });

    private T Add<T>(T option) where T : Option
    {
        _all.Add(option.In(_group));
        return option;
    }

    /// <summary>Directions on a part of the model: rank one where the scheme has ranks.</summary>
    private static DirectionSpace Part(RunPlan plan, string words)
    {
        var directions = plan.Federation.Directions;
        if (words == "full")
            return directions with { Trainable = null, Adapter = null };
        var rank = directions.Scheme == DirectionSchemes.LowRank ? 1 : 0;
        string[] patterns = [.. Words(words).Select(word =>
            word.StartsWith("last:", StringComparison.Ordinal) ? $"layers:-{word["last:".Length..]}"
            : AdapterOf(plan, word) is null ? word : "adapter").Distinct()];
        var added = AdaptersOf(plan, Words(words)).Cast<AdapterKind?>().FirstOrDefault();
        return directions with
        {
            Adapter = added is not { } kind ? directions.Adapter
                : directions.Adapter is { } adapter ? adapter with { Kind = kind } : new Adapter { Kind = kind },
            Trainable = patterns is ["adapter"] ? null : [new TensorGroup { Tensors = patterns, Rank = rank }],
        };
    }

    private static IEnumerable<AdapterKind> AdaptersOf(RunPlan plan, string[] words) =>
        words.Select(word => AdapterOf(plan, word)).OfType<AdapterKind>();

    /// <summary>What a word adds; null for one that names a part of the model. A LLaMA without biases gets some.</summary>
    private static AdapterKind? AdapterOf(RunPlan plan, string word) => word switch
    {
        "lora" => AdapterKind.Lora,
        "prompt" => AdapterKind.Prompt,
        "bias" when TakesBiases(plan.Model) => AdapterKind.Bias,
        _ => null,
    };

    private static bool TakesBiases(string model)
    {
        var takes = false;
        // What is wrong with the model is told by whoever looks at it whole.
        _ = UsageException.FaultsOf("--model", model, folder => takes = AdapterContent.TakesBiases(PeftFolder.Find(folder).Base));
        return takes;
    }

    /// <param name="words">What it may be, where there are words for that.</param>
    private Option<string> Text(
        string name, string help, string description, Func<RunPlan, string, RunPlan> change, IEnumerable<string>? words = null)
    {
        var option = Add(new Option<string>(name) { HelpName = help, Description = description });
        option.CompletionSources.Add([.. CommonOptions.Words(words ?? [])]);
        _changes.Add((parsed, plan) => parsed.GetResult(option) is { Tokens.Count: > 0 } ? change(plan, parsed.GetValue(option)!) : plan);
        return option;
    }

    private void Setting<T>(
        string name,
        string description,
        Func<FederationSettings, T, FederationSettings> change) where T : struct, INumber<T> =>
        Parsed<T>(name, "N", description, (plan, value) => plan with { Federation = change(plan.Federation, value) });

    private void Word<T>(
        string name, IReadOnlyCollection<string> words, string description, Func<string, T?> parse, Func<RunPlan, T, RunPlan> change)
        where T : struct =>
        Option(name, string.Join('|', words), string.Join(" or ", words), description, parse, change);

    private void Choice<T>(string name, string description, Func<FederationSettings, T, FederationSettings> change) where T : struct, Enum
    {
        var words = string.Join("|", Enum.GetNames<T>().Select(word => word.ToLowerInvariant()));
        Option(name, words, words.Replace("|", " or ", StringComparison.Ordinal), description,
            text => Enum.GetNames<T>().Contains(text, StringComparer.OrdinalIgnoreCase) ? Enum.Parse<T>(text, ignoreCase: true) : null,
            (RunPlan plan, T value) => plan with { Federation = change(plan.Federation, value) });
    }

    /// <summary>A rule of the settings by its name, with hyphens.</summary>
    private void Rule<T>(string name, string description, Func<FederationSettings, T, FederationSettings> change) where T : class, IRule<T>
    {
        var rules = T.All.ToDictionary(rule => Word(rule.Name), StringComparer.OrdinalIgnoreCase);
        Option<RuleChoice<T>>(name, string.Join('|', rules.Keys), string.Join(" or ", rules.Keys), description,
            text => rules.TryGetValue(text, out var rule) ? new RuleChoice<T>(rule) : null,
            (plan, value) => plan with { Federation = change(plan.Federation, value.Rule) });
    }

    private readonly record struct RuleChoice<T>(T Rule);

    private Option<T?> Parsed<T>(string name, string help, string description, Func<RunPlan, T, RunPlan> change)
        where T : struct, INumber<T> =>
        Option(name, help, NumberText.Kind<T>(), description, NumberText.Number<T>, change);

    private void Time(string name, string description, Func<FederationSettings, TimeSpan, FederationSettings> change) =>
        Option(
            name, "HH:MM:SS", NumberText.Kind<TimeSpan>(), description, NumberText.Time,
            (RunPlan plan, TimeSpan value) => plan with { Federation = change(plan.Federation, value) });

    /// <summary>
    /// A wrong value is an error that names the option and what it takes; the plan then keeps its default, so that all else is checked too.
    /// </summary>
    private Option<T?> Option<T>(
        string name, string help, string kind, string description, Func<string, T?> parse,
        Func<RunPlan, T, RunPlan> change) where T : struct
    {
        var option = Add(new Option<T?>(name)
        {
            HelpName = help,
            Description = description,
            CustomParser = argument =>
            {
                var value = parse(argument.Tokens[0].Value);
                if (value is null)
                    argument.AddError(NumberText.Fault(name, kind, argument.Tokens[0].Value));
                return value;
            },
        });
        if (help.Contains('|', StringComparison.Ordinal))
            option.CompletionSources.Add([.. CommonOptions.Words(help.Split('|'))]);
        _changes.Add((parsed, plan) =>
            parsed.GetResult(option) is { Tokens.Count: 1 } result && parse(result.Tokens[0].Value) is { } value
                ? change(plan, value)
                : plan);
        return option;
    }

    /// <summary>A name in the code as a word of the command line: ShrunkImportance is shrunk-importance, FedMeZO is fedmezo.</summary>
    private static string Word(string name) => name.StartsWith("Fed", StringComparison.Ordinal)
        ? name.ToLowerInvariant()
        : JsonNamingPolicy.KebabCaseLower.ConvertName(name);

    private static string Number(double value) => value.ToString("G6", CultureInfo.InvariantCulture);
}
