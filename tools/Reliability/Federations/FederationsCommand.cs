using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;
using FedKSeed.LocalServers;
using FedKSeed.LogStore;
using StackExchange.Redis;
using EventLog = FedKSeed.Federation.Log.EventLog;

namespace FedKSeed.Reliability.Federations;

/// <summary>
/// What many federations cost one set of services: first one alone, then many at once on the same processes, to the end of each. Every log
/// is folded afterwards.
/// </summary>
internal static class FederationsCommand
{
    private const int Steps = 25;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(20);

    public static Command Create(TimeProvider time)
    {
        var federations = new Option<int>("--federations") { Description = "At once.", DefaultValueFactory = _ => 100 };
        var clients = new Option<int>("--clients") { Description = "Of each federation.", DefaultValueFactory = _ => 8 };
        var rounds = new Option<int>("--rounds") { Description = "Of each federation.", DefaultValueFactory = _ => 10 };
        var command = new Command("federations", "Measure what many federations cost one set of services.")
        {
            federations, clients, rounds,
        };
        command.SetAction((arguments, cancel) => RunAsync(
            arguments.GetRequiredValue(federations), arguments.GetRequiredValue(clients), arguments.GetRequiredValue(rounds),
            time, cancel));
        return command;
    }

    private static async Task<int> RunAsync(int federations, int clients, int rounds, TimeProvider time, CancellationToken cancel)
    {
        var folder = Directory.CreateTempSubdirectory("fedkseed-federations-").FullName;
        await using var servers = await FederationServers.StartAsync(folder, cancel: cancel);
        Console.WriteLine($"{Surroundings.Machine(time)}. {await Surroundings.VersionsAsync()}");
        var ports = InstalledProgram.FreePorts(2);
        ChildProcess[] services =
        [
            Start("seed-service", "FedKSeed.SeedService", ports[0]), Start("round-service", "FedKSeed.RoundService", ports[1]),
        ];
        try
        {
            await Task.WhenAll(services.Select(service => service.UntilAsync(
                _ => Task.FromResult(service.LastLines(50).Contains("Application started", StringComparison.Ordinal)),
                TimeSpan.FromSeconds(60), cancel)));
            await MeasureAsync("one alone, as the services start", ["alone"]);
            await MeasureAsync("one alone", ["alone-again"]);
            await MeasureAsync(
                $"{federations} at once", [.. Enumerable.Range(1, federations).Select(number => $"federation-{number:D4}")]);
        }
        finally
        {
            foreach (var service in services)
                await service.DisposeAsync();
        }
        Directory.Delete(folder, recursive: true);
        return 0;

        ChildProcess Start(string name, string program, int port) => ServiceProcess.Start(
            name, FederationServers.LogsIn(folder), program,
            [
                new("Bus:Transport", "RabbitMq"), new("Bus:Broker", servers.Broker.Address.ToString()),
                new("Redis:Connection", servers.Redis.Connection),
                // Players announce themselves one after another.
                new("RoundService:ClientTimeout", "00:02:00"),
            ],
            new Uri($"http://127.0.0.1:{port.ToString(CultureInfo.InvariantCulture)}/"));

        async Task MeasureAsync(string what, string[] names)
        {
            var before = services.Select(service => ProcessorTime(service.Id)).ToArray();
            var began = time.GetTimestamp();
            foreach (var name in names)
                await Opening.OpenAsync(servers.Redis.Connection, Settings(name, clients, rounds), time, cancel);
            (string, string)[] members =
                [.. names.SelectMany(name => Enumerable.Range(1, clients).Select(client => (name, $"{name}-{client}")))];
            await using var players = await ScriptedPlayers.StartAsync(servers.Broker.Address, members, cancel);
            await UntilClosedAsync(servers.Redis.Connection, names, cancel);
            var took = time.GetElapsedTime(began);
            var durations = (await Task.WhenAll(names.Select(name => RoundsAsync(servers.Redis.Connection, name, cancel))))
                .SelectMany(of => of).Order().ToArray();
            if (durations.Length != names.Length * rounds)
                throw new InvalidOperationException($"{durations.Length} rounds were committed, {names.Length * rounds} are due.");
            Console.WriteLine(
                $"{what}: {durations.Length} rounds of {clients} clients in {took.TotalSeconds:F1} s, a round p50 "
                + $"{durations[durations.Length / 2].TotalMilliseconds:F0} ms, "
                + $"p95 {durations[durations.Length * 95 / 100].TotalMilliseconds:F0} ms; "
                + string.Join("; ", services.Select((service, at) =>
                    $"{service.Name} {(ProcessorTime(service.Id) - before[at]).TotalMilliseconds / durations.Length:F1} ms of processor "
                        + $"a round, {Memory(service.Id):F0} MB")));
        }
    }

    private static FederationSettings Settings(string name, int clients, int rounds) => new()
    {
        Name = name,
        BaseModelDigest = new string('a', 64),
        StepsPerRound = Steps,
        Rounds = rounds,
        EvaluateEvery = 0,
        MinimumClients = clients,
    };

    private static async Task UntilClosedAsync(string connection, string[] names, CancellationToken cancel)
    {
        await using var redis = await ConnectionMultiplexer.ConnectAsync(connection);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        timeout.CancelAfter(Patience);
        while (true)
        {
            var closed = await redis.GetDatabase().SortedSetRangeByRankAsync("fedkseed:closed");
            if (names.All(closed.Select(name => name.ToString()).ToHashSet(StringComparer.Ordinal).Contains))
                return;
            await Task.Delay(100, timeout.Token);
        }
    }

    /// <summary>How long each round of a federation took, from its start to its commit in the log, which is folded to its end.</summary>
    private static async Task<List<TimeSpan>> RoundsAsync(string connection, string federation, CancellationToken cancel)
    {
        await using var redis = await ConnectionMultiplexer.ConnectAsync(connection);
        var (state, began, rounds) = (new FederationState(), default(DateTimeOffset), new List<TimeSpan>());
        await foreach (var line in new RedisFederationLog(redis, federation).ReadAsync(0, cancel))
        {
            var entry = EventLog.Read(state.Head, line);
            state = FederationFold.Apply(state, entry);
            if (entry.Event is RoundStartedEntry)
                began = entry.Time;
            else if (entry.Event is RoundCommittedEntry)
                rounds.Add(entry.Time - began);
        }
        return rounds;
    }

    private static TimeSpan ProcessorTime(int id)
    {
        using var process = Process.GetProcessById(id);
        return process.TotalProcessorTime;
    }

    /// <summary>Resident, in megabytes.</summary>
    private static double Memory(int id)
    {
        using var process = Process.GetProcessById(id);
        return process.WorkingSet64 / 1e6;
    }
}
