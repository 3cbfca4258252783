using System.Text.Json;
using FedKSeed.Federation.Aggregation;
using FedKSeed.Federation.Log;
using FedKSeed.Tests;

namespace FedKSeed.Cli.Tests;

public sealed class VerifyTests : IDisposable
{
    private readonly SampleLog _sample = new();

    [Fact]
    public async Task A_sound_log_is_summed_up()
    {
        var run = await CommandRun.Of("verify", "--log", _sample.Log, "--json");

        Assert.Equal(0, run.ExitCode);
        var log = JsonDocument.Parse(run.Output).RootElement.GetProperty("log");
        Assert.Equal(3, log.GetProperty("versions").GetInt32());
        Assert.Equal(6, log.GetProperty("reports").GetInt64());
        Assert.Equal(2, log.GetProperty("clients").GetInt32());
        Assert.Equal(_sample.Events.Count, log.GetProperty("entries").GetInt64());
        Assert.Equal(Accumulators.Digest(_sample.Versions[^1].Span), log.GetProperty("digest").GetString());
    }

    [Fact]
    public async Task Any_flipped_byte_is_found_in_the_entry_that_holds_it()
    {
        var sound = File.ReadAllBytes(_sample.Log);
        var random = new Random(1);
        for (var trial = 0; trial < 100; trial++)
        {
            var at = random.Next(sound.Length - 1);
            var line = sound.AsSpan(0, at).Count((byte)'\n') + 1;
            var flipped = sound.ToArray();
            flipped[at] ^= (byte)(1 << random.Next(8));
            File.WriteAllBytes(_sample.Log, flipped);

            var run = await CommandRun.Of("verify", "--log", _sample.Log);

            Assert.Equal(1, run.ExitCode);
            Assert.Contains($"(line {line})", run.Errors, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_removed_line_is_found_where_it_was()
    {
        RewriteLines(lines => lines.RemoveAt(4));

        var run = await CommandRun.Of("verify", "--log", _sample.Log);

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("entry 4 (line 5)", run.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Swapped_lines_are_found_at_the_first()
    {
        RewriteLines(lines => (lines[4], lines[5]) = (lines[5], lines[4]));

        var run = await CommandRun.Of("verify", "--log", _sample.Log);

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("entry 4 (line 5)", run.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_forged_scalar_is_found_at_its_commit_even_if_every_hash_was_made_anew()
    {
        var events = _sample.Events.ToList();
        var at = events.FindIndex(happened => happened is ScalarsReportedEntry);
        var report = (ScalarsReportedEntry)events[at];
        var scalars = report.Scalars.ToArray();
        scalars[0] += 1;
        events[at] = report with { Scalars = scalars };
        _sample.WriteChain(events);
        var commit = events.FindIndex(happened => happened is RoundCommittedEntry);

        var run = await CommandRun.Of("verify", "--log", _sample.Log, "--json");

        Assert.Equal(1, run.ExitCode);
        var found = JsonDocument.Parse(run.Output).RootElement;
        Assert.False(found.GetProperty("sound").GetBoolean());
        Assert.Equal(commit, found.GetProperty("entry").GetInt64());
        Assert.Contains("digest", found.GetProperty("reason").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_log_that_is_not_there_is_wrong_usage()
    {
        var run = await CommandRun.Of("verify", "--log", Path.Combine(_sample.Folder, "nowhere"));

        Assert.Equal(2, run.ExitCode);
        Assert.Contains("--log", run.Errors, StringComparison.Ordinal);
    }

    public void Dispose() => _sample.Dispose();

    private void RewriteLines(Action<List<string>> change)
    {
        var lines = File.ReadAllLines(_sample.Log).ToList();
        change(lines);
        File.WriteAllText(_sample.Log, string.Concat(lines.Select(line => line + "\n")));
    }
}
