using FedKSeed.Checkpoints;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;
using FedKSeed.Federation.Sampling;

namespace FedKSeed.Tests;

/// <summary>A log that a small federation over a tiny checkpoint would have written, and the folder that it lies in.</summary>
internal sealed class SampleLog : IDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public SampleLog(int rounds = 3)
    {
        Directory.CreateDirectory(Folder);
        Directory.CreateDirectory(Base);
        WriteBase();
        using var checkpoint = Checkpoint.Open(Base);
        Settings = new FederationSettings
        {
            BaseModelDigest = checkpoint.Digest(),
            Directions = new() { SeedCount = 64 },
            Rounds = rounds,
            StepsPerRound = 5,
            EvaluateEvery = 1,
            Sampling = SamplingRule.Importance,
        };
        WriteLog(rounds);
    }

    public string Folder { get; } = Path.Combine(Path.GetTempPath(), "fedkseed-tests", Path.GetRandomFileName());

    public string Base => Path.Combine(Folder, "base");

    public string Log => Path.Combine(Folder, "events.log");

    public FederationSettings Settings { get; }

    public List<LogEvent> Events { get; } = [];

    /// <summary>Accumulators of each version, 0 first.</summary>
    public List<ReadOnlyMemory<long>> Versions { get; } = [];

    public void WriteChain(IEnumerable<LogEvent> events) =>
        File.WriteAllText(Log, string.Concat(EventLog.Write(LogHead.Start, Start, [.. events]).Lines.Select(line => line + "\n")));

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    private void WriteBase()
    {
        var random = new Random(7);
        var bytes = new byte[sizeof(float) * 24];
        for (var k = 0; k < 24; k++)
            BitConverter.TryWriteBytes(bytes.AsSpan(k * sizeof(float)), random.NextSingle() - 0.5f);
        CheckpointWriter.Write(
            Path.Combine(Base, Checkpoint.SingleFile),
            [
                new TensorContent("a.weight", TensorType.F32, [4, 4], bytes.AsMemory(0, 64)),
                new TensorContent("b.weight", TensorType.F32, [8], bytes.AsMemory(64)),
            ]);
        File.WriteAllText(Path.Combine(Base, "config.json"), "{}");
    }

    private void WriteLog(int rounds)
    {
        var state = new FederationState();
        Append(ref state, FederationDecisions.Open(state, Settings));
        Versions.Add(state.Accumulators);
        string[] clients = ["client-1", "client-2"];
        for (var round = 1; round <= rounds; round++)
        {
            Append(ref state, FederationDecisions.StartRound(state, round, clients, Start));
            var reports = clients.Select(client => ReportOf(state, round, client)).ToArray();
            Append(ref state, FederationDecisions.Commit(state, round, RoundEnd.Quorum, reports, Start));
            Append(ref state, [new ModelEvaluatedEntry(round, 10, 3.0 / round, 0.1 * round, 0.2 * round)]);
            Versions.Add(state.Accumulators);
        }
        Append(ref state, FederationDecisions.Close(state, FederationEnd.Completed, rounds, [], Start));
        WriteChain(Events);
    }

    private static ScalarsReportedEntry ReportOf(FederationState state, int round, string client)
    {
        var assignment = state.Assignments[new AssignmentKey(round, client)];
        var random = new Random(100 * round + client[^1]);
        var scalars = Enumerable.Range(0, assignment.Seeds.Length).Select(_ => random.NextSingle() * 4 - 2).ToArray();
        return new ScalarsReportedEntry(round, client, assignment.BaseVersion, 40, scalars);
    }

    private void Append(ref FederationState state, IReadOnlyList<LogEvent> events)
    {
        Events.AddRange(events);
        state = FederationFold.Fold(state, EventLog.Write(state.Head, Start, events).Entries);
    }
}
