using System.Diagnostics;
using System.Globalization;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;
using FedKSeed.Federation.Rates;
using FedKSeed.Federation.Sampling;

namespace FedKSeed.Simulation.Tests;

public class SimulationTests(ITestOutputHelper output)
{
    /// <summary>
    /// Random weather over random policies; FEDKSEED_SIMULATION_SEEDS sets how many (2 000 by default), FEDKSEED_SIMULATION_SEED
    /// replays one.
    /// </summary>
    [Fact]
    public void No_weather_loses_a_report_counts_one_twice_or_keeps_a_federation_from_its_end()
    {
        var seeds = Setting("FEDKSEED_SIMULATION_SEED") is { } one
            ? [one]
            : Enumerable.Range(1, Setting("FEDKSEED_SIMULATION_SEEDS") ?? 2000);
        var (reports, entries) = (0L, 0L);
        Parallel.ForEach(seeds, seed =>
        {
            try
            {
                var federation = Of(seed);
                federation.Run(TimeSpan.FromDays(2));
                var refolded = SimulatedFederation.FoldOf(federation.Log);
                Assert.Equal(federation.Book.Accumulators.ToArray(), refolded.Accumulators.ToArray());
                Assert.Equal(federation.Book.Head, refolded.Head);
                Interlocked.Add(ref reports, federation.Committed);
                Interlocked.Add(ref entries, federation.Log.Count);
            }
            catch (Exception fault)
            {
                throw new InvalidOperationException($"Seed {seed}: {fault.Message} Replay it with FEDKSEED_SIMULATION_SEED={seed}.", fault);
            }
        });
        output.WriteLine($"{seeds.Count()} seeds, {reports} reports committed, {entries} log entries");
        Assert.True(reports > 0);
    }

    /// <summary>
    /// Federations that people pause, resume and stop, and whose clients they bar and readmit, at any moment, in any weather; an eighth of
    /// the seeds.
    /// </summary>
    [Fact]
    public void Whatever_people_do_no_round_starts_in_a_pause_no_barred_client_counts_and_the_federation_ends()
    {
        var seeds = Setting("FEDKSEED_SIMULATION_SEED") is { } one
            ? [one]
            : Enumerable.Range(1, (Setting("FEDKSEED_SIMULATION_SEEDS") ?? 2000) / 8);
        var (reports, acts, dropped, stopped) = (0L, 0L, 0L, 0L);
        Parallel.ForEach(seeds, seed =>
        {
            try
            {
                var federation = Of(seed, isSteered: true);
                federation.Run(TimeSpan.FromDays(2));
                var refolded = SimulatedFederation.FoldOf(federation.Log);
                Assert.Equal(StateCheckpoint.Write(federation.Book), StateCheckpoint.Write(refolded));
                Interlocked.Add(ref reports, federation.Committed);
                Interlocked.Add(ref acts, federation.Acts);
                Interlocked.Add(ref dropped, federation.Dropped);
                if (federation.Book.Closed!.Reason == FederationEnd.Stopped)
                    Interlocked.Increment(ref stopped);
            }
            catch (Exception fault)
            {
                throw new InvalidOperationException($"Seed {seed}: {fault.Message} Replay it with FEDKSEED_SIMULATION_SEED={seed}.", fault);
            }
        });
        output.WriteLine(
            $"{seeds.Count()} seeds, {acts} acts, {reports} reports committed, {dropped} dropped by a bar, {stopped} federations stopped");
        Assert.True(seeds.Count() == 1 || (acts > 0 && reports > 0 && dropped > 0 && stopped > 0 && stopped < seeds.Count()));
    }

    [Fact]
    public void The_same_seed_gives_the_same_log()
    {
        var (one, two) = (Of(7), Of(7));
        one.Run(TimeSpan.FromDays(2));
        two.Run(TimeSpan.FromDays(2));
        Assert.Equal(one.Log, two.Log);
    }

    /// <summary>FEDKSEED_SIMULATION_CLIENTS sets how many; docs/SCALE.md has the figures for 100 000.</summary>
    [Fact]
    public void Many_clients_of_whom_a_third_is_silent_finish_their_rounds()
    {
        var clients = Setting("FEDKSEED_SIMULATION_CLIENTS") ?? 5000;
        var settings = Settings with
        {
            Directions = new() { SeedCount = 4096 },
            StepsPerRound = 20,
            Rounds = 5,
            Quorum = 0.6,
            RoundDeadline = TimeSpan.FromMinutes(2),
            MinimumClients = clients,
        };
        var federation = new SimulatedFederation(1, settings, new Weather { Clients = clients, Silent = 0.3 }, keepsLog: false);
        var clock = Stopwatch.StartNew();
        federation.Run(TimeSpan.FromDays(1));
        clock.Stop();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{clients} clients, {settings.Rounds} commits of {federation.Committed} reports in {clock.Elapsed.TotalSeconds:f1} s: "
            + $"{federation.Committed / clock.Elapsed.TotalSeconds:f0} reports/s; log {federation.LogBytes / 1e6:f1} MB, "
            + $"{federation.LogBytes / (double)federation.Committed:f0} bytes a report; resident {Environment.WorkingSet / 1e6:f0} MB"));
        Assert.Equal(settings.Rounds, federation.Book.Version);
        // Those who are silent in a round sit out two deadlines, so fewer than all take part in the later ones.
        Assert.InRange(federation.Committed, clients * 0.6, clients * 5 * 0.75);
    }

    private static FederationSettings Settings { get; } = new()
    {
        Name = "simulation",
        BaseModelDigest = new string('a', 64),
        Directions = new() { SeedCount = 64 },
        StepsPerRound = 4,
        EvaluateEvery = 0,
    };

    private static SimulatedFederation Of(int seed, bool isSteered = false)
    {
        var random = new Random(seed * 7919);
        // Mostly small federations, some of hundreds, a few of thousands: bugs of order show in small ones, those of size in large ones.
        var clients = random.Next(100) switch { < 80 => random.Next(1, 12), < 99 => random.Next(12, 120), _ => random.Next(1000, 2000) };
        var settings = Settings with
        {
            Directions = new() { PoolKey = (ulong)seed, SeedCount = 64 },
            Rounds = random.Next(1, clients > 500 ? 4 : 12),
            Sampling = random.Next(2) == 0 ? SamplingRule.Uniform : SamplingRule.Importance,
            MinimumClients = random.Next(1, Math.Max(2, clients / 3)),
            Participation = 0.2 + 0.8 * random.NextDouble(),
            OverSelection = random.Next(3) == 0 ? 1 + random.NextDouble() : 1,
            Quorum = random.Next(3) == 0 ? 1 : 0.3 + 0.7 * random.NextDouble(),
            MinimumReports = random.Next(3),
            CommitEvery = random.Next(3) == 0 ? random.Next(1, clients + 1) : 0,
            StalenessBound = random.Next(6),
            RoundDeadline = TimeSpan.FromSeconds(random.Next(5, 60)),
            ClientRates = ClientRateRule.All[random.Next(ClientRateRule.All.Count)],
            ClientRateForm = ClientRateForm.All[random.Next(ClientRateForm.All.Count)],
            ClientRateSpread = random.NextDouble(),
            ClientRateWindow = random.Next(1, 6),
            Dropout = random.Next(3) == 0 ? 0.6 * random.NextDouble() : 0,
        };
        if (random.Next(4) == 0)
            settings = settings with { Synchronous = true, Quorum = 1, OverSelection = 1, CommitEvery = 0 };
        var weather = new Weather
        {
            Clients = clients,
            MedianWork = 1 + 10 * random.NextDouble(),
            Silent = 0.5 * random.NextDouble(),
            Duplicated = 0.3 * random.NextDouble(),
            Delayed = 0.3 * random.NextDouble(),
            SeedServiceCrash = clients > 120 ? 0 : 0.1 * random.NextDouble(),
            RoundServiceCrash = 0.1 * random.NextDouble(),
            Away = 0.4 * random.NextDouble(),
        };
        if (isSteered)
            weather = weather with { Acts = random.Next(1, 40), IsStopped = random.Next(4) == 0 };
        return new SimulatedFederation(seed, settings, weather);
    }

    private static int? Setting(string name) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out var value) ? value : null;
}
