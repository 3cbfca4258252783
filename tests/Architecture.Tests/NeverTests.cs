using System.Reflection;
using System.Text.RegularExpressions;
using FedKSeed.Cli;
using FedKSeed.Contracts;
using FedKSeed.Tests;
using Mono.Cecil;
using Mono.Cecil.Cil;
using NetArchTest.Rules;

namespace FedKSeed.Architecture.Tests;

/// <summary>A test for every line of "What never happens" in docs/ARCHITECTURE.md, named as the line is.</summary>
public sealed partial class NeverTests
{
    private static readonly string[] Tensors = ["Checkpoints", "Perturbation", "LanguageModels", "Training"];
    private static readonly string[] Torch = ["TorchSharp", "libtorch-cpu-linux-x64", "TorchSharp-cpu", "TorchSharp-cuda-linux"];

    /// <summary>What a message may hold: names, numbers, packed vectors, q, and records of those.</summary>
    private static readonly HashSet<Type> OnTheWire =
    [
        typeof(string), typeof(int), typeof(int?), typeof(long), typeof(ulong), typeof(float), typeof(float?), typeof(double),
        typeof(double?), typeof(bool), typeof(byte[]), typeof(DateTimeOffset?),
        typeof(IReadOnlyList<int>), typeof(IReadOnlyList<string>), typeof(ModelVersion), typeof(ModelDelta), typeof(DirectionSpace),
        typeof(AssignmentKey),
        typeof(ReadOnlyMemory<int>), typeof(IReadOnlyList<TensorGroup>), typeof(IReadOnlyList<TrainedTensor>),
        typeof(Adapter), typeof(AdapterKind),
    ];

    [Fact]
    public void Every_line_of_what_never_happens_has_its_test()
    {
        var page = File.ReadAllText(SourceFiles.Full("docs/ARCHITECTURE.md"));
        var section = page.Split("\n## ").Single(section => section.StartsWith("What never happens\n", StringComparison.Ordinal));
        var names = Line().Matches(section).Select(match => NotOfAName().Replace(match.Groups[1].Value, "_")).ToArray();
        var tests = Assembly.GetExecutingAssembly().GetTypes().SelectMany(type => type.GetMethods())
            .Where(method => method.GetCustomAttribute<FactAttribute>() is not null).Select(method => method.Name).ToHashSet();

        Assert.True(names.Length >= 10, string.Join('\n', names));
        Assert.All(names, name => Assert.Contains(name, tests));
    }

    [Fact]
    public void A_worker_never_touches_Redis() => AssertKnowsNone("ClientWorker", ["LogStore", "Federation"], ["StackExchange.Redis"]);

    [Fact]
    public void RoundService_and_SeedService_never_touch_tensors()
    {
        AssertKnowsNone("RoundService", Tensors, Torch);
        AssertKnowsNone("SeedService", Tensors, Torch);
    }

    [Fact]
    public async Task Replay_and_verify_never_load_torch()
    {
        AssertKnowsNone("Versions", ["LanguageModels", "Training"], Torch);
        using var sample = new SampleLog();
        using var output = new StringWriter();
        using var errors = new StringWriter();
        string[] replay = ["replay", "--log", sample.Log, "--base", sample.Base, "--to", Path.Combine(sample.Folder, "rebuilt")];

        Assert.True(await FedKSeedCommand.InvokeAsync(["verify", "--log", sample.Log], output, errors) == 0, errors.ToString());
        Assert.True(await FedKSeedCommand.InvokeAsync(replay, output, errors) == 0, errors.ToString());

        Assert.DoesNotContain(
            AppDomain.CurrentDomain.GetAssemblies(),
            assembly => assembly.GetName().Name!.StartsWith("TorchSharp", StringComparison.Ordinal));
    }

    [Fact]
    public void Contracts_references_no_package()
    {
        Assert.Empty(Project.All["Contracts"].Packages);
        Assert.Empty(Project.All["Contracts"].Projects);
    }

    [Fact]
    public void Tokenization_and_InstructionData_know_no_torch()
    {
        AssertKnowsNone("Tokenization", ["LanguageModels", "Training"], Torch);
        AssertKnowsNone("InstructionData", ["LanguageModels", "Training"], Torch);
    }

    [Fact]
    public void Federation_never_reads_or_writes_a_file_never_waits_and_never_asks_for_the_time() =>
        AssertDependsOnNone(
            typeof(Federation.FederationFold).Assembly,
            "System.IO", "System.Net", "System.Threading.Tasks", "System.TimeProvider");

    /// <summary>Of Display, Remote, Run, Cluster, Verbs; Doctor stands beside the first four.</summary>
    [Fact]
    public void No_room_of_Cli_knows_one_that_comes_after_it()
    {
        string[] rooms = ["Display", "Remote", "Run", "Cluster", "Verbs"];
        foreach (var (place, room) in rooms.Index())
            AssertRoomKnowsNone(room, rooms[(place + 1)..]);
        AssertRoomKnowsNone("Doctor", rooms);
    }

    [Fact]
    public void No_weight_gradient_or_example_is_on_any_wire()
    {
        var messages = typeof(ScalarsReported).Assembly.GetTypes().Where(type => type.IsPublic && !type.IsAbstract);
        var held = messages.SelectMany(type => type.GetProperties()
            .Select(property => (Name: $"{type.Name}.{property.Name}", property.PropertyType)));
        Assert.All(held, property => Assert.True(OnTheWire.Contains(property.PropertyType), $"{property.Name} is {property.PropertyType}"));
        Assert.Equal(
            ["Assignment", "BaseVersion", "Examples", "Federation", "MeanLoss", "Scalars", "SkippedSteps"],
            typeof(ScalarsReported).GetProperties().Select(property => property.Name).Order());
    }

    [Fact]
    public void No_message_is_published_or_sent_but_through_TimelyDelivery()
    {
        var calls = Calls().Where(call => call.To.DeclaringType.Namespace.StartsWith("MassTransit", StringComparison.Ordinal)
            && call.To.Name is "Publish" or "Send" or "PublishBatch" or "SendBatch" or "RespondAsync"
            // A filter hands what was received to the next one: nothing is sent.
            && !call.To.DeclaringType.Name.StartsWith("IPipe`", StringComparison.Ordinal)).ToArray();
        Assert.Contains(calls, call => call.From.Contains("TimelyDelivery", StringComparison.Ordinal));
        Assert.All(calls, call => Assert.Contains("FedKSeed.Bus.TimelyDelivery", call.From, StringComparison.Ordinal));
    }

    [Fact]
    public void There_is_no_saga_no_scheduler_and_no_outbox()
    {
        string[] none = ["Saga", "StateMachine", "Scheduler", "Schedule", "Outbox"];
        Assert.DoesNotContain(
            Calls(), call => call.To.DeclaringType.Namespace.StartsWith("MassTransit", StringComparison.Ordinal)
                && none.Any(word => call.To.FullName.Contains(word, StringComparison.Ordinal)));
    }

    /// <summary>By what its project references, however far off, and by what its types name.</summary>
    private static void AssertKnowsNone(string project, string[] projects, string[] packages)
    {
        var closure = Project.All[project].Closure();
        Assert.Empty(closure.Select(known => known.Name).Intersect(projects));
        Assert.Empty(closure.SelectMany(known => known.Packages).Intersect(packages));
        AssertDependsOnNone(Assembly.Load($"FedKSeed.{project}"), [.. projects.Select(name => $"FedKSeed.{name}"), .. packages]);
    }

    private static void AssertDependsOnNone(Assembly assembly, params string[] names) =>
        AssertNone(Types.InAssembly(assembly).Should().NotHaveDependencyOnAny(names).GetResult());

    private static void AssertRoomKnowsNone(string room, string[] others) =>
        AssertNone(Types.InAssembly(typeof(FedKSeedCommand).Assembly)
            .That().ResideInNamespace($"FedKSeed.Cli.{room}")
            .Should().NotHaveDependencyOnAny([.. others.Select(other => $"FedKSeed.Cli.{other}")]).GetResult());

    private static void AssertNone(NetArchTest.Rules.TestResult result) =>
        Assert.True(result.IsSuccessful, string.Join('\n', result.FailingTypes.Select(type => $"{type.FullName}: {type.Explanation}")));

    /// <summary>Every call in the product's own assemblies.</summary>
    private static IEnumerable<(string From, MethodReference To)> Calls() =>
        Directory.EnumerateFiles(AppContext.BaseDirectory, "*.dll")
            .Where(file => Path.GetFileName(file).StartsWith("FedKSeed.", StringComparison.OrdinalIgnoreCase)
                && !file.EndsWith(".Tests.dll", StringComparison.Ordinal))
            .SelectMany(file => ModuleDefinition.ReadModule(file).GetTypes())
            .SelectMany(type => type.Methods)
            .Where(method => method.HasBody)
            .SelectMany(method => method.Body.Instructions
                .Where(instruction => instruction.OpCode.Code is Code.Call or Code.Callvirt or Code.Newobj)
                .Select(instruction => (method.FullName, (MethodReference)instruction.Operand)));

    [GeneratedRegex(@"^- ([^.\n]+)\.", RegexOptions.Multiline)]
    private static partial Regex Line();

    [GeneratedRegex("[^A-Za-z]+")]
    private static partial Regex NotOfAName();
}
