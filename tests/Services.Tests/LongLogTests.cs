using System.Diagnostics;
using System.Globalization;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;
using FedKSeed.LogStore;
using Microsoft.Extensions.Logging.Abstractions;

namespace FedKSeed.Services.Tests;

/// <summary>
/// How long the log is makes no difference to how a service starts. FEDKSEED_LOG_ENTRIES says how long; 30 000 without it.
/// </summary>
public class LongLogTests(RedisServer redis)
{
    private const int ClientsARound = 1000;
    private const long MostMemory = 400L << 20;

    private static readonly string[] Clients = [.. Enumerable.Range(0, ClientsARound).Select(client => $"client-{client:D4}")];

    private static long Entries { get; } = Environment.GetEnvironmentVariable("FEDKSEED_LOG_ENTRIES") is { Length: > 0 } entries
        ? long.Parse(entries, CultureInfo.InvariantCulture)
        : 30_000;

    [Fact]
    public async Task A_service_starts_on_a_long_log_in_seconds_and_in_little_memory()
    {
        var state = await WriteAsync("long");

        var (seconds, memory) = await StartAsync("long", state);

        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{state.Head.Length} entries: open after {seconds:F2} s, at most {memory >> 20} MiB");
        Assert.InRange(memory, 1, MostMemory);
        // Three seconds on a machine of its own; tests share theirs.
        Assert.InRange(seconds, 0, 15);
    }

    private async Task<FederationState> WriteAsync(string federation)
    {
        using var registry = new FederationRegistry(redis.Of(federation).Client, TimeProvider.System);
        await registry.AddAsync(federation, TestContext.Current.CancellationToken);
        using var book = new FederationBook(
            new RedisFederationLog(redis.Of(federation).Client, federation), TimeProvider.System, NullLogger<FederationBook>.Instance);
        var settings = new FederationSettings
        {
            Name = federation,
            BaseModelDigest = new string('a', 64),
            StepsPerRound = 8,
            Rounds = Limits.Rounds,
            EvaluateEvery = 10,
        };
        var cancel = TestContext.Current.CancellationToken;
        var state = await book.AppendAsync((state, _) => FederationDecisions.Open(state, settings), cancel);
        for (var round = 1; state.Head.Length < Entries; round++)
        {
            state = await book.AppendAsync((state, now) => FederationDecisions.StartRound(state, round, Clients, now), cancel);
            var started = state;
            await Task.WhenAll(Clients.Select(client => book.HoldAsync(
                new ClientReport(new AssignmentKey(round, client), started.Version, 10, new float[8], []), cancel)));
            state = await book.AppendWithReportsAsync(
                (state, inHand, now) => FederationDecisions.Commit(state, round, RoundEnd.Quorum, inHand, now), cancel);
            if (settings.IsEvaluationDue(state.Version))
                state = await book.AppendAsync(
                    (state, _) => FederationDecisions.Evaluate(state, new ModelEvaluatedEntry(state.Version, 10, 1, 0, 0)), cancel);
        }
        return state;
    }

    /// <returns>Seconds from the start of a RoundService to its word that it has the clock, and its most memory by then.</returns>
    private async Task<(double Seconds, long Memory)> StartAsync(string federation, FederationState state)
    {
        var began = Stopwatch.GetTimestamp();
        using var process = Process.Start(new ProcessStartInfo(
            Path.Combine(AppContext.BaseDirectory, "FedKSeed.RoundService"),
            ["--Bus:Transport=InMemory", $"--Redis:Connection={redis.Of(federation).Connection}", "--Urls=http://127.0.0.1:0"])
        {
            RedirectStandardOutput = true,
            Environment = { ["DOTNET_gcServer"] = "0" },
        })!;
        var said = new List<string>();
        while (await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
        {
            said.Add(line);
            if (!line.Contains(
                $"{federation}: this instance has the clock, at version {state.Version}, {state.Head.Length} entries",
                StringComparison.Ordinal))
                continue;
            var seconds = Stopwatch.GetElapsedTime(began).TotalSeconds;
            process.Refresh();
            var memory = process.PeakWorkingSet64;
            process.Kill();
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            return (seconds, memory);
        }
        throw new InvalidOperationException($"The service ended: {string.Join(Environment.NewLine, said)}");
    }
}
