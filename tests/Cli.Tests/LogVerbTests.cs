using FedKSeed.Federation.Log;
using FedKSeed.Observation;
using FedKSeed.Tests;

namespace FedKSeed.Cli.Tests;

public sealed class LogVerbTests : IDisposable
{
    private readonly SampleLog _sample = new();

    public void Dispose() => _sample.Dispose();

    [Fact]
    public async Task Every_entry_is_a_line_and_filters_leave_those_that_are_asked_for()
    {
        var all = Lines(await CommandRun.Of("log", "show", "--log", _sample.Log));
        var commits = Lines(await CommandRun.Of("log", "show", "--log", _sample.Log, "--kind", "RoundCommitted"));
        var client = _sample.Events.OfType<ScalarsReportedEntry>().First().Client;
        var own = Lines(await CommandRun.Of("log", "show", "--log", _sample.Log, "--client", client, "--round", "2"));

        Assert.Equal(_sample.Events.Count, all.Length);
        Assert.Equal(_sample.Events.OfType<RoundCommittedEntry>().Count(), commits.Length);
        Assert.All(commits, line => Assert.Contains("RoundCommitted", line, StringComparison.Ordinal));
        // Asked, assigned, reported, counted.
        Assert.Equal(4, own.Length);
        Assert.All(own[1..3], line => Assert.Contains($"2/{client}", line, StringComparison.Ordinal));
    }

    [Fact]
    public async Task For_machines_the_last_lines_come_as_they_stand_in_the_log()
    {
        var run = await CommandRun.Of("log", "show", "--log", _sample.Log, "--last", "2", "--json");

        Assert.Equal(File.ReadLines(_sample.Log).TakeLast(2), Lines(run));
    }

    [Fact]
    public async Task A_line_that_is_half_written_is_left_out_and_a_changed_one_is_named()
    {
        var bytes = File.ReadAllBytes(_sample.Log);
        File.WriteAllBytes(_sample.Log, bytes[..^10]);
        var torn = await CommandRun.Of("log", "show", "--log", _sample.Log);
        bytes[bytes.AsSpan().IndexOf("\"round\":1"u8) + 8] = (byte)'2';
        File.WriteAllBytes(_sample.Log, bytes);
        var changed = await CommandRun.Of("log", "show", "--log", _sample.Log);

        Assert.Equal((0, _sample.Events.Count - 1), (torn.ExitCode, Lines(torn).Length));
        Assert.Equal(1, changed.ExitCode);
        Assert.Contains("events.log: entry 1 (line 2) is wrong", changed.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_log_that_is_being_written_is_followed_until_the_federation_is_closed()
    {
        var lines = File.ReadAllLines(_sample.Log);
        Assert.IsType<FederationClosedEntry>(_sample.Events[^1]);
        File.WriteAllText(_sample.Log, string.Concat(lines[..5].Select(line => line + "\n")));

        var tail = CommandRun.Of("log", "tail", "--log", _sample.Log, "--last", "3");
        await using (var file = new StreamWriter(new FileStream(_sample.Log, FileMode.Append, FileAccess.Write, FileShare.Read)))
            foreach (var line in lines[5..])
            {
                // In two halves, as a reader may find them.
                await file.WriteAsync(line[..7]);
                await file.FlushAsync(TestContext.Current.CancellationToken);
                await file.WriteAsync(line[7..] + "\n");
            }

        var run = await tail;
        Assert.Equal(0, run.ExitCode);
        var expected = _sample.Events.Count - 2;
        // Whatever was there when it began, the last three of it, and all that came since.
        Assert.InRange(Lines(run).Length, 3, expected);
        Assert.Contains("FederationClosed", Lines(run)[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_show_or_tail_it_says_what_there_is()
    {
        var run = await CommandRun.Of("log");

        Assert.Equal(2, run.ExitCode);
        Assert.Contains("log needs one of: show, tail.", run.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_kind_of_entry_has_words() => Assert.All(
        _sample.Events,
        happened => Assert.Matches(
            $"^      0  1970-01-01 00:00:00  {EntryLine.KindOf(happened)} +[^ ].*: .",
            EntryLine.Of(new LogEntry(0, DateTimeOffset.UnixEpoch, happened, ""))));

    private static string[] Lines(CommandRun run) => run.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
