using System.Text.Json;
using FedKSeed.Federation.Aggregation;
using FedKSeed.Federation.Log;
using FedKSeed.Tests;
using FedKSeed.Versions;

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

    /// <summary>A forger can hash a log anew; what an adapter begins with follows from its base, pool key and settings.</summary>
    [Fact]
    public async Task A_forged_digest_of_an_adapter_is_found_on_its_base()
    {
        var golden = Path.Combine(Path.GetDirectoryName(Vectors.Folder)!, "Federation.Tests", "Logs", "format-3-adapter.log");
        var samples = Path.Combine(Path.GetDirectoryName(Vectors.Folder)!, "..", "samples", "model");
        var sound = await CommandRun.Of("verify", "--log", golden, "--base", samples);
        Assert.True(sound.ExitCode == 0, sound.Errors);

        var events = LogFile.Read(golden).Select(entry => entry.Event).ToArray();
        var opened = (FederationOpenedEntry)events[0];
        var directions = opened.Settings.Directions;
        events[0] = opened with
        {
            Settings = opened.Settings with
            {
                Directions = directions with { Adapter = directions.Adapter! with { Digest = new string('0', 64) } },
            },
        };
        var times = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
        File.WriteAllLines(_sample.Log, EventLog.Write(LogHead.Start, times, events).Lines);
        Assert.Equal(0, (await CommandRun.Of("verify", "--log", _sample.Log)).ExitCode);
        var forged = await CommandRun.Of("verify", "--log", _sample.Log, "--base", samples, "--json");
        Assert.Equal(1, forged.ExitCode);
        Assert.Contains("entry 0", forged.Errors, StringComparison.Ordinal);
        Assert.Contains(directions.Adapter!.Digest!, forged.Errors, StringComparison.Ordinal);
        var replayed = await CommandRun.Of(
            "replay", "--log", _sample.Log, "--base", samples, "--to", Path.Combine(_sample.Folder, "replayed"));
        Assert.Equal(1, replayed.ExitCode);
        var other = await CommandRun.Of("verify", "--log", golden, "--base", _sample.Base);
        Assert.Equal(1, other.ExitCode);
        Assert.Contains("is not the base model", other.Errors, StringComparison.Ordinal);
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
