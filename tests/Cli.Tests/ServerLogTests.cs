using FedKSeed.Federation.Log;
using FedKSeed.Tests;
using Microsoft.AspNetCore.Http;

namespace FedKSeed.Cli.Tests;

/// <summary>What verbs make of a log that a server has: shown, followed, watched, pulled.</summary>
public sealed class ServerLogTests : IDisposable
{
    private readonly SampleLog _sample = new();
    private readonly TemporaryFolder _folder = new();
    private readonly string[] _lines;

    public ServerLogTests() => _lines = File.ReadAllLines(_sample.Log);

    private string Target => Path.Combine(_folder.Path, "pulled");

    [Fact]
    public async Task A_log_is_shown_from_a_server_as_from_a_file_whatever_pages_it_comes_in()
    {
        await using var server = await ContractServer.StartAsync(_lines);
        Assert.True(_lines.Length > 2 * ContractServer.MostLines);

        var there = await CommandRun.Of("log", "show", "federation", "--server", server.Address);
        var here = await CommandRun.Of("log", "show", "--log", _sample.Log);
        var last = await CommandRun.Of("log", "show", "federation", "--last", "2", "--json", "--server", server.Address);
        await CommandRun.Of("log", "show", "federation", "--kind", "RoundCommitted", "--client", "a b", "--server", server.Address);

        Assert.Equal(here.Output, there.Output);
        Assert.Equal(_lines[^2..], Lines(last));
        Assert.EndsWith("kind=RoundCommitted&client=a%20b&limit=1000", server.Asked[^3].Query, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Where_a_log_is_must_be_clear()
    {
        var both = await CommandRun.Of("log", "show", "federation", "--log", _sample.Log);
        var none = await CommandRun.Of("log", "tail");

        Assert.Equal((2, 2), (both.ExitCode, none.ExitCode));
        Assert.Contains("NAME and --log exclude each other", both.Errors, StringComparison.Ordinal);
        Assert.Contains("NAME or --log is needed", none.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_log_is_followed_with_its_filters_until_the_federation_is_closed_though_the_server_goes_away()
    {
        await using var server = await ContractServer.StartAsync(_lines[..7]);

        var tail = CommandRun.Of("log", "tail", "federation", "--kind", "RoundCommitted", "--last", "0", "--server", server.Address);
        await UntilAsync(() => server.Asked.Any(asked => asked.Path.EndsWith("/live", StringComparison.Ordinal)));
        await server.StopAsync();
        server.Add(_lines[7..]);
        await server.StartAsync();
        var run = await tail;

        Assert.Equal(0, run.ExitCode);
        // The first round's commit was there before.
        Assert.Equal(_sample.Events.Skip(7).OfType<RoundCommittedEntry>().Count(), Lines(run).Length);
    }

    [Fact]
    public async Task Watching_ends_with_what_a_federation_came_to_and_outlives_its_server()
    {
        await using var server = await ContractServer.StartAsync(_lines[..2]);
        server.Clients = [new RoundService.Api.ClientStatus("client-1", true, null, 0, null)];

        var watch = CommandRun.Of("watch", "federation", "--server", server.Address);
        await UntilAsync(() => server.Asked.Any(asked => asked.Path.EndsWith("/live", StringComparison.Ordinal)));
        server.Add(_lines[2..9]);
        await UntilAsync(() => server.Asked.Count > 8);
        await server.StopAsync();
        await Task.Delay(100, TestContext.Current.CancellationToken);
        server.Add(_lines[9..]);
        await server.StartAsync();
        var run = await watch;

        Assert.True(run.ExitCode == 0, run.Errors);
        Assert.Contains("round 1/3: 2 of 2 reports", run.Output, StringComparison.Ordinal);
        Assert.Contains("round 3/3: 2 of 2 reports", run.Output, StringComparison.Ordinal);
        Assert.Contains("version 2: held-out loss 1.500, exact match 20.0 %", run.Output, StringComparison.Ordinal);
        Assert.StartsWith("Completed after 3 rounds and 6 reports in ", Lines(run)[^1], StringComparison.Ordinal);
        Assert.EndsWith("Version 3 was kept.", Lines(run)[^1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_line_that_does_not_follow_ends_the_watching_with_its_place()
    {
        await using var server = await ContractServer.StartAsync(_lines[..6]);

        var watch = CommandRun.Of("watch", "federation", "--server", server.Address);
        await UntilAsync(() => server.Asked.Any(asked => asked.Path.EndsWith("/live", StringComparison.Ordinal)));
        server.Instead = context => context.Request.Path.Value!.EndsWith("/live", StringComparison.Ordinal)
            ? Results.Text($"id: 6\ndata: {_lines[7]}\n\n", "text/event-stream")
            : null;
        await server.StopAsync();
        await server.StartAsync();
        var run = await watch;

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("entry 6 is wrong: ", run.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Pulling_gives_the_log_and_the_very_model_of_replay_and_fetches_nothing_twice()
    {
        await using var server = await ContractServer.StartAsync(_lines);

        var first = await PullAsync(server);
        await CommandRun.Of("replay", "--log", _sample.Log, "--base", _sample.Base, "--to", Path.Combine(_folder.Path, "replayed"));
        var asked = server.Asked.Count;
        var again = await PullAsync(server, "--version", "1");
        await CommandRun.Of(
            "replay", "--log", _sample.Log, "--base", _sample.Base, "--version", "1", "--to", Path.Combine(_folder.Path, "first"));

        Assert.True(first.ExitCode == 0, first.Errors);
        Assert.Equal(File.ReadAllBytes(_sample.Log), File.ReadAllBytes(Path.Combine(Target, "events.log")));
        Assert.Contains("The log is sound.", first.Output, StringComparison.Ordinal);
        Assert.Contains($"{_lines.Length} entries fetched, {_lines.Length} in all.", first.Output, StringComparison.Ordinal);
        Assert.Contains($"0 entries fetched, {_lines.Length} in all.", again.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(server.Asked.Skip(asked), one => one.Path.EndsWith("/export", StringComparison.Ordinal));
        Assert.Equal(Model(Path.Combine(_folder.Path, "first")), Model(Path.Combine(Target, "model")));
        await PullAsync(server);
        Assert.Equal(Model(Path.Combine(_folder.Path, "replayed")), Model(Path.Combine(Target, "model")));
    }

    [Fact]
    public async Task A_torn_log_is_gone_on_with_and_another_one_is_left_alone()
    {
        await using var server = await ContractServer.StartAsync(_lines);
        Directory.CreateDirectory(Target);
        var log = Path.Combine(Target, "events.log");
        File.WriteAllText(log, string.Concat(_lines[..5].Select(line => line + "\n")) + _lines[5][..40]);
        var torn = await PullAsync(server);
        var whole = File.ReadAllBytes(log);
        using var other = new SampleLog(rounds: 2);
        File.Copy(other.Log, log, overwrite: true);
        var refused = await PullAsync(server);

        Assert.True(torn.ExitCode == 0, torn.Errors);
        Assert.Contains($"{_lines.Length - 5} entries fetched", torn.Output, StringComparison.Ordinal);
        Assert.Equal(File.ReadAllBytes(_sample.Log), whole);
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("is not the beginning of the log of federation", refused.Errors, StringComparison.Ordinal);
        Assert.Equal(File.ReadAllBytes(other.Log), File.ReadAllBytes(log));
    }

    [Fact]
    public async Task Whatever_stands_in_the_way_of_a_pull_is_said_before_anything_is_asked()
    {
        await using var server = await ContractServer.StartAsync(_lines);
        _folder.Write("something", "else");

        var run = await CommandRun.Of("pull", "federation", "--base", "/nowhere", "--to", _folder.Path, "--server", server.Address);

        Assert.Equal(2, run.ExitCode);
        Assert.Contains("--base: there is no folder '/nowhere'", run.Errors, StringComparison.Ordinal);
        Assert.Contains("holds something else than an earlier pull", run.Errors, StringComparison.Ordinal);
        Assert.Empty(server.Asked);
    }

    public void Dispose()
    {
        _sample.Dispose();
        _folder.Dispose();
    }

    private Task<CommandRun> PullAsync(ContractServer server, params string[] more) => CommandRun.Of(
        ["pull", "federation", "--base", _sample.Base, "--to", Target, "--server", server.Address, .. more]);

    private static byte[] Model(string folder) => File.ReadAllBytes(Path.Combine(folder, "model.safetensors"));

    private static async Task UntilAsync(Func<bool> holds)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!holds())
            await Task.Delay(20, timeout.Token);
    }

    private static string[] Lines(CommandRun run) => run.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
