using System.Runtime.CompilerServices;
using FedKSeed.Contracts;
using FedKSeed.Federation.Log;
using FedKSeed.Federation.Rounds;
using FedKSeed.Federation.Sampling;

namespace FedKSeed.Federation.Tests;

/// <summary>Logs that earlier versions wrote: one for each format that there ever was. They are never changed.</summary>
public class GoldenLogTests
{
    private static readonly string Folder = Path.Combine(Path.GetDirectoryName(ThisFile())!, "Logs");

    [Theory]
    [InlineData("format-1-importance.log", 77, "e0e2ffc5c7c509b1e51488f24e51268f3a7c56dd31da8560425f1c39cda4bbdd")]
    [InlineData("format-1-continuous-gaussian.log", 59, "483d7e1dd8fd0910685d0c2f226539acfa1ec755ac6ccc2cd4b7215ca70c80db")]
    [InlineData("format-2-importance.log", 77, "e0e2ffc5c7c509b1e51488f24e51268f3a7c56dd31da8560425f1c39cda4bbdd")]
    [InlineData("format-3-skipped-steps.log", 44, "1b89a03fa254c48cd05ac70eb558311b4ca6a456d5c703618349e848f8e0eb20")]
    [InlineData("format-3-client-rates.log", 43, "610cc1f42d6cfc37b72548adf595b4163dd520d64eea1f554dc562529fdcbb8d")]
    [InlineData("format-3-adapter.log", 37, "d0e838f2de4d14f386600375008c113c386b2f64204ac52294e482901178dd50")]
    public void A_log_of_an_earlier_version_folds_to_the_accumulators_that_it_had(string name, int entries, string digest)
    {
        var state = Federations.Fold([.. File.ReadLines(Path.Combine(Folder, name))]);
        Assert.Equal((entries, 4, FederationEnd.Completed), (state.Head.Length, state.Version, state.Closed!.Reason));
        Assert.Equal(digest, Aggregation.Accumulators.Digest(state.Accumulators.Span));
    }

    [Fact]
    public void A_log_of_everything_that_people_do_folds_to_what_they_did()
    {
        var lines = Lines("format-4-steered.log");
        var state = Federations.Fold(lines);
        Assert.Equal((37, 4), (state.Head.Length, state.Version));
        Assert.Equal(new FederationClosedEntry(FederationEnd.Stopped, 4, "ann@hospital-a", "good enough"), state.Closed);
        Assert.Equal(new FederationPausedEntry("ben", ""), state.Paused);
        Assert.Equal([new ClientBarredEntry("client-4", "", "ann@hospital-a")], state.Barred.Values);
        Assert.Equal(
            "034a6e3e19b6d3c58d7304d4a323a0eea556d54365d921e4ec9e39989adda887", Aggregation.Accumulators.Digest(state.Accumulators.Span));
        string[] kinds = ["FederationPaused", "FederationResumed", "ClientBarred", "ClientReadmitted"];
        Assert.All(kinds, kind => Assert.Contains(lines, line => line.Contains($"\"kind\":\"{kind}\"", StringComparison.Ordinal)));
    }

    [Fact]
    public void The_decisions_write_that_log_to_the_byte() => Assert.Equal(Lines("format-4-steered.log"), SteeredFederation.Log());

    [Theory]
    [InlineData("format-3-skipped-steps.log")]
    [InlineData("format-3-client-rates.log")]
    [InlineData("format-3-adapter.log")]
    public void Of_a_federation_that_nobody_steers_format_4_writes_what_format_3_did_but_its_number(string name)
    {
        string[] contents = [.. Lines(name).Select(Chain.ContentOf)];
        contents[0] = contents[0].Replace("\"protocol\":3", "\"protocol\":4", StringComparison.Ordinal);
        var (state, rewritten) = (new FederationState(), new List<string>());
        foreach (var line in Chain.Rehash(contents))
        {
            var entry = EventLog.Read(state.Head, line);
            rewritten.AddRange(EventLog.Write(state.Head, entry.Time, [entry.Event]).Lines);
            state = FederationFold.Apply(state, entry);
        }
        Assert.Equal(contents, rewritten.Select(Chain.ContentOf));
        Assert.Equal(Federations.Fold(Lines(name)).LastCommit!.Digest, state.LastCommit!.Digest);
    }

    [Fact]
    public void Flat_settings_of_format_1_become_one_direction_space_and_rules_that_mean_what_they_meant()
    {
        var settings = Federations.Fold([.. File.ReadLines(Path.Combine(Folder, "format-1-importance.log"))]).Settings!;
        Assert.Equal(
            new DirectionSpace { PoolKey = ulong.MaxValue, SeedCount = 64, Scheme = DirectionSchemes.Rademacher }, settings.Directions);
        Assert.Same(SamplingRule.Importance, settings.Sampling);
        Assert.Same(LearningRateSchedule.Cosine, settings.Schedule);
        Assert.Equal(KeptVersion.Last, settings.Keep);
    }

    [Fact]
    public void A_log_of_a_newer_format_is_refused_with_what_would_read_it()
    {
        var first = File.ReadLines(Path.Combine(Folder, "format-2-importance.log")).First();
        var newer = Chain.Rehash([Chain.ContentOf(first).Replace("\"protocol\":2", "\"protocol\":9", StringComparison.Ordinal)]);
        var refusal = Assert.Throws<InvalidEntryException>(() => Federations.Fold(newer));
        Assert.Contains("format 9", refusal.Reason, StringComparison.Ordinal);
        Assert.Contains("a newer fedkseed reads it", refusal.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_member_that_nobody_knows_is_refused_in_either_format()
    {
        foreach (var name in new[] { "format-1-importance.log", "format-2-importance.log" })
        {
            var first = File.ReadLines(Path.Combine(Folder, name)).First();
            var content = Chain.ContentOf(first).Replace("\"settings\":{", "\"settings\":{\"momentum\":1,", StringComparison.Ordinal);
            var refusal = Assert.Throws<InvalidEntryException>(() => Federations.Fold(Chain.Rehash([content])));
            Assert.Contains("momentum", refusal.Reason, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_log_goes_on_in_the_format_that_it_began_in()
    {
        var lines = Lines("format-2-importance.log");
        var commit = Array.FindIndex(lines, line => line.Contains("RoundCommitted", StringComparison.Ordinal));
        var state = Federations.Fold(lines[..(commit + 1)]);
        List<string> more = [];
        state = state.Then(state => FederationDecisions.StartRound(state, 2, ["client-1"], Federations.Start), more);
        var report = Federations.Accepted(state, Federations.ReportOf(state, 2, "client-1"));
        state = state.Then(state => FederationDecisions.Commit(state, 2, RoundEnd.Quorum, [report], Federations.Start), more);

        Assert.Equal(2, state.Version);
        Assert.Equal(2, more.Count(line => line.Contains("\"seeds\":", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("format-2-importance.log", "\"protocol\":2", "\"protocol\":3")]
    [InlineData("format-3-skipped-steps.log", "\"protocol\":3", "\"protocol\":2")]
    public void Entries_of_one_format_are_refused_in_another(string name, string from, string to)
    {
        var contents = Lines(name).Select(Chain.ContentOf).ToArray();
        contents[0] = contents[0].Replace(from, to, StringComparison.Ordinal);
        Assert.Throws<InvalidEntryException>(() => Federations.Fold(Chain.Rehash(contents)));
    }

    internal static string[] Lines(string name) => File.ReadAllLines(Path.Combine(Folder, name));

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
