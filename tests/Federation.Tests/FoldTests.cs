using CsCheck;
using FedKSeed.Federation.Aggregation;
using FedKSeed.Federation.Log;
using FedKSeed.Federation.Sampling;
using static FedKSeed.Federation.Tests.Federations;

namespace FedKSeed.Federation.Tests;

public class FoldTests
{
    [Fact]
    public void A_round_moves_the_accumulators_of_its_seeds()
    {
        var state = Open().Then(state => FederationDecisions.StartRound(state, 1, ["a"], Start));
        var report = Accepted(state, ReportOf(state, 1, "a", 2f));
        var after = state.Then(state => FederationDecisions.Commit(state, 1, RoundEnd.Quorum, [report], Start));

        var perStep = Accumulators.Contribution(Settings.LearningRate, 2f);
        Assert.Equal(1, after.Version);
        foreach (var seeds in state.Assignments[report.Key].Seeds.ToArray().CountBy(seed => seed))
            Assert.Equal(seeds.Value * perStep, after.Accumulators.Span[seeds.Key]);
    }

    [Fact]
    public void Every_prefix_of_a_log_folds_and_the_whole_ends_closed()
    {
        var log = Run(Settings, "a", "b", "c");
        var state = new FederationState();
        foreach (var line in log)
            state = Fold([line], state);
        Assert.Equal(FederationEnd.Completed, state.Closed!.Reason);
        Assert.Equal(Settings.Rounds, state.Version);
    }

    [Fact]
    public void Any_changed_character_is_found_at_its_entry()
    {
        var log = Run(Settings, "a", "b");
        Gen.Select(Gen.Int[0, log.Count - 1], Gen.Int[0, 10_000], Gen.Char['0', 'z']).Sample((at, position, character) =>
        {
            var line = log[at];
            var index = position % line.Length;
            if (line[index] == character)
                return;
            var forged = log.ToList();
            forged[at] = line[..index] + character + line[(index + 1)..];
            Assert.Equal(at, Assert.Throws<InvalidEntryException>(() => Fold(forged)).Sequence);
        }, iter: 500);
    }

    [Fact]
    public void A_missing_a_swapped_and_a_doubled_entry_are_found()
    {
        var log = Run(Settings, "a", "b");
        Assert.Equal(3, Assert.Throws<InvalidEntryException>(() => Fold([.. log[..3], .. log[4..]])).Sequence);
        Assert.Equal(3, Assert.Throws<InvalidEntryException>(() => Fold([.. log[..3], log[4], log[3], .. log[5..]])).Sequence);
        Assert.Equal(4, Assert.Throws<InvalidEntryException>(() => Fold([.. log[..4], log[3], .. log[4..]])).Sequence);
    }

    [Theory]
    [InlineData(0, 1, "second one in a round")]
    [InlineData(2, 2, "skips a turn")]
    [InlineData(2, -1, "skips a turn")]
    public void A_turn_that_no_decision_gives_is_found(int commitEvery, int turn, string fault)
    {
        var open = Open(Settings with { CommitEvery = commitEvery });
        var state = open.Then(state => FederationDecisions.StartRound(state, 1, ["a"], Start));
        var assigned = (SeedsAssignedEntry)FederationDecisions.StartRound(open, 1, ["a"], Start)[1];
        var forged = assigned with { Turn = turn };
        Assert.Contains(fault, Assert.Throws<InvalidEntryException>(() => state.Then(_ => [forged])).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_forged_scalar_under_a_recomputed_chain_is_found_at_the_commit()
    {
        var events = ReadAll(Run(Settings, "a", "b"));
        var at = events.FindIndex(happened => happened is ScalarsReportedEntry);
        var genuine = (ScalarsReportedEntry)events[at];
        events[at] = genuine with { Scalars = genuine.Scalars.ToArray().Select(scalar => scalar * 2).ToArray() };
        var (forged, _) = EventLog.Write(LogHead.Start, Start, events);

        var fault = Assert.Throws<InvalidEntryException>(() => Fold(forged));
        Assert.IsType<RoundCommittedEntry>(events[(int)fault.Sequence]);
    }

    [Fact]
    public void Seeds_that_were_not_drawn_as_promised_are_found()
    {
        var events = ReadAll(GoldenLogTests.Lines("format-2-importance.log"));
        var at = events.FindIndex(happened => happened is SeedsAssignedEntry);
        var genuine = (SeedsAssignedEntry)events[at];
        events[at] = genuine with { Seeds = genuine.Seeds!.Value.ToArray().Select(seed => (ushort)(seed ^ 1)).ToArray() };
        var (forged, _) = EventLog.Write(LogHead.Start, Start, events);
        Assert.Equal(at, Assert.Throws<InvalidEntryException>(() => Fold(forged)).Sequence);
    }

    [Fact]
    public void A_log_written_and_read_back_folds_to_the_same_accumulators()
    {
        var log = Run(Settings with { Sampling = SamplingRule.Importance }, "a", "b", "c");
        var once = Fold(log);
        var (lines, _) = EventLog.Write(LogHead.Start, Start, ReadAll(log));
        Assert.Equal(log, lines);
        Assert.Equal(once.Accumulators.ToArray(), Fold(lines).Accumulators.ToArray());
    }

    private static List<LogEvent> ReadAll(IEnumerable<string> lines)
    {
        var head = LogHead.Start;
        return [.. lines.Select(line =>
        {
            var entry = EventLog.Read(head, line);
            head = new LogHead(entry.Sequence + 1, entry.Hash);
            return entry.Event;
        })];
    }
}
