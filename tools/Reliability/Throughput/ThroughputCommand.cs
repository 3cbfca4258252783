using System.CommandLine;
using System.Diagnostics;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;
using FedKSeed.LocalServers;
using FedKSeed.LogStore;
using StackExchange.Redis;
using EventLog = FedKSeed.Federation.Log.EventLog;

namespace FedKSeed.Reliability.Throughput;

/// <summary>
/// How many reports a second SeedService takes: real broker, Redis that waits for its disk, real processes, and a load generator that plays
/// the clients, all on this machine.
/// </summary>
internal static class ThroughputCommand
{
    private const string Federation = "throughput";

    public static Command Create(TimeProvider time)
    {
        var replicas = new Option<int>("--replicas") { Description = "Processes of SeedService.", DefaultValueFactory = _ => 1 };
        var clients = new Option<int>("--clients")
        {
            Description = "Clients, each with an assignment a round.",
            DefaultValueFactory = _ => 2000
        };
        var rounds = new Option<int>("--rounds") { Description = "Rounds; the first warms up.", DefaultValueFactory = _ => 5 };
        var underWay = new Option<int>("--under-way")
        {
            Description = "Reports published and not accepted yet, at most.",
            DefaultValueFactory = _ => 512
        };
        var command = new Command("throughput", "Measure how many reports a second SeedService takes.") {
            replicas, clients, rounds, underWay };
        command.SetAction((arguments, cancel) => RunAsync(
            arguments.GetRequiredValue(replicas), arguments.GetRequiredValue(clients), arguments.GetRequiredValue(rounds),
            arguments.GetRequiredValue(underWay), time, cancel));
        return command;
    }

    private static async Task<int> RunAsync(
        int replicas, int clients, int rounds, int underWay, TimeProvider time, CancellationToken cancel)
    {
        var folder = Directory.CreateTempSubdirectory("fedkseed-throughput-").FullName;
        var logs = Path.Combine(folder, "logs");
        await using var redis = await RedisServer.StartAsync(Path.Combine(folder, "redis"), logs, cancel: cancel);
        await using var broker = await RabbitMqServer.StartAsync(Path.Combine(folder, "rabbitmq"), logs, cancel: cancel);

        Console.WriteLine($"{Surroundings.Machine(time)}. {await Surroundings.VersionsAsync()}");
        Console.WriteLine($"baseline: {await Baseline.RedisAppendsAsync(redis.Connection, 1, time):F0} appends/s one at a time, "
            + $"{await Baseline.RedisAppendsAsync(redis.Connection, 256, time):F0} by 256 writers; "
            + $"{await Baseline.BrokerMessagesAsync(broker.Address, 256, time, cancel):F0} messages/s through a quorum queue");

        await Opening.OpenAsync(
            redis.Connection,
            new FederationSettings
            {
                Name = Federation,
                BaseModelDigest = new string('a', 64),
                StepsPerRound = 200,
                Rounds = 1000,
                EvaluateEvery = 0,
                MinimumClients = clients,
            },
            time, cancel);
        await using var generator = await LoadGenerator.StartAsync(broker.Address, Federation, clients, cancel);
        var services = Enumerable.Range(1, replicas).Select(replica => ChildProcess.Start(
            $"seed-service-{replica}", logs, Path.Combine(AppContext.BaseDirectory, "FedKSeed.SeedService"), [],
            Settings(broker.Address, redis.Connection))).ToArray();
        try
        {
            await Task.WhenAll(services.Select(service => service.UntilAsync(
                _ => Task.FromResult(service.LastLines(50).Contains("Bus started", StringComparison.Ordinal)),
                TimeSpan.FromSeconds(60), cancel)));
            var processes = new (string Name, int Id)[] {
                ("load", Environment.ProcessId), ("redis", redis.Process.Id), ("rabbitmq", broker.Process.Id) }
                .Concat(services.Select(service => (service.Name, service.Id))).ToArray();
            for (var round = 1; round <= rounds; round++)
            {
                var looks = new List<TimeSpan[]>();
                var measure = await generator.RoundAsync(
                    round, underWay, () => looks.Add([.. processes.Select(process => ProcessorTime(process.Id))]), time, cancel);
                Console.WriteLine(Describe(round, measure, processes.Select((process, k) => (process.Name, looks[1][k] - looks[0][k]))));
            }
            await CheckAsync(redis.Connection, clients * rounds, cancel);
        }
        finally
        {
            await Task.WhenAll(services.Select(service => service.DisposeAsync().AsTask()));
        }
        Directory.Delete(folder, recursive: true);
        return 0;
    }

    /// <summary>Processor time is of the reports alone: on a machine that others use too it says more than the clock.</summary>
    private static string Describe(int round, RoundMeasure measure, IEnumerable<(string Name, TimeSpan Used)> processors)
    {
        var latencies = measure.Latencies.Order().ToArray();
        var perReport = processors.Select(process => (process.Name, Microseconds: process.Used.TotalMicroseconds / latencies.Length))
            .ToArray();
        return $"round {round}: {measure.ReportsPerSecond:F0} reports/s, p50 {latencies[latencies.Length / 2].TotalMilliseconds:F0} ms, "
            + $"p95 {latencies[latencies.Length * 95 / 100].TotalMilliseconds:F0} ms; assigned in {measure.Assigning.TotalSeconds:F2} s, "
            + $"reported in {measure.Reporting.TotalSeconds:F2} s, committed in {measure.Committing.TotalSeconds:F2} s; "
            + "processor time a report: "
            + string.Join(", ", perReport.Select(process => $"{process.Name} {process.Microseconds:F0} µs"))
            + $", together {perReport.Sum(process => process.Microseconds):F0} µs, or "
            + $"{1e6 / perReport.Sum(process => process.Microseconds):F0} reports/s a core";
    }

    private static TimeSpan ProcessorTime(int id)
    {
        using var process = Process.GetProcessById(id);
        return process.TotalProcessorTime;
    }

    /// <summary>Folds the log from its start, which recomputes every commit, and counts.</summary>
    private static async Task CheckAsync(string connection, int expected, CancellationToken cancel)
    {
        await using var redis = await ConnectionMultiplexer.ConnectAsync(connection);
        var (state, reports) = (new FederationState(), 0);
        await foreach (var line in new RedisFederationLog(redis, Federation).ReadAsync(0, cancel))
        {
            var entry = EventLog.Read(state.Head, line);
            reports += entry.Event is ScalarsReportedEntry ? 1 : 0;
            state = FederationFold.Apply(state, entry);
        }
        Console.WriteLine($"{state.Head.Length} entries verified, {reports} reports in them, {expected} were expected");
        if (reports != expected)
            throw new InvalidOperationException("Accepted reports are missing from the log.");
    }

    private static Dictionary<string, string> Settings(Uri broker, string redis) => new()
    {
        ["Bus__Transport"] = "RabbitMq",
        ["Bus__Broker"] = broker.ToString(),
        ["Redis__Connection"] = redis,
        ["DOTNET_gcServer"] = "0",
        // As in a service that lives for weeks; the harness turns it off for those that live for seconds.
        ["DOTNET_TieredPGO"] = "1",
        ["Logging__Console__FormatterName"] = "simple",
    };
}
