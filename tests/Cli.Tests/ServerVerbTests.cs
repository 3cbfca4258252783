using System.Text.Json;
using FedKSeed.Cli.Verbs;
using FedKSeed.RoundService.Api;
using FedKSeed.Tests;
using Microsoft.AspNetCore.Http;

namespace FedKSeed.Cli.Tests;

/// <summary>Verbs that ask a server: what they send, what they say, what they make of its refusals.</summary>
public sealed class ServerVerbTests : IDisposable
{
    private readonly SampleLog _sample = new();
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public async Task Without_a_server_it_is_said_how_to_name_one_and_every_other_fault_with_it()
    {
        var run = await CommandRun.Of("exclude", "Federation", "client 1", "--reason", " ");

        Assert.Equal(2, run.ExitCode);
        foreach (var said in new[]
        {
            "--server is needed, or FEDKSEED_SERVER", "NAME: 'Federation' is no name", "CLIENT: 'client 1' is no name",
            "--reason is empty.",
        })
            Assert.Contains(said, run.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("federations.example:8443")]
    [InlineData("ftp://federations.example")]
    [InlineData("https://ada:secret@federations.example")]
    public async Task An_address_that_is_none_or_holds_a_password_is_refused_and_not_repeated(string address)
    {
        var run = await CommandRun.Of("list", "--server", address);

        Assert.Equal(2, run.ExitCode);
        Assert.Contains("--server must be an address such as", run.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", run.Errors, StringComparison.Ordinal);
    }

    [Fact, System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
    public async Task A_token_comes_from_a_file_of_its_owner_alone_and_goes_nowhere_but_into_the_header()
    {
        await using var server = await ContractServer.StartAsync(File.ReadLines(_sample.Log));
        var file = _folder.Write("token", "fedkseed_hidden\n");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
        var open = await CommandRun.Of("list", "--server", server.Address, "--token-file", file);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var run = await CommandRun.Of("list", "--server", server.Address, "--token-file", file, "--verbose");

        Assert.Equal(2, open.ExitCode);
        Assert.Contains("chmod 600", open.Errors, StringComparison.Ordinal);
        Assert.Equal(0, run.ExitCode);
        Assert.Equal("Bearer fedkseed_hidden", Assert.Single(server.Asked).Authorization);
        Assert.DoesNotContain("hidden", open.Errors + open.Output + run.Errors + run.Output, StringComparison.Ordinal);
    }

    public static TheoryData<int, string?, string> Refusals => new()
    {
        { 401, "Unauthorized.", "asks for a token: give --token-file FILE, or FEDKSEED_TOKEN" },
        { 403, "Steering takes an operator's token.", "Steering takes an operator's token." },
        { 404, "There is no federation 'federation' in the store.", "There is no federation 'federation' in the store." },
        { 409, "Federation 'federation' is closed: Completed.", "Federation 'federation' is closed: Completed." },
        { 500, null, "answers 500 (InternalServerError)." },
    };

    [Theory]
    [MemberData(nameof(Refusals))]
    public async Task A_refusal_is_one_sentence_and_no_stack(int status, string? detail, string said)
    {
        await using var server = await ContractServer.StartAsync(File.ReadLines(_sample.Log));
        server.Instead = _ => detail is null ? Results.StatusCode(status) : Results.Problem(detail, statusCode: status);

        var run = await CommandRun.Of("pause", "federation", "--reason", "a look at client-1", "--server", server.Address);

        Assert.Equal(1, run.ExitCode);
        Assert.Contains(said, Assert.Single(run.Errors.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
        Assert.Single(server.Asked);
        Assert.Empty(run.Output);
    }

    [Fact]
    public async Task A_server_that_is_not_there_and_one_without_TLS_are_told_apart()
    {
        var server = await ContractServer.StartAsync(File.ReadLines(_sample.Log));
        var tls = await CommandRun.Of("list", "--server", server.Address.Replace("http:", "https:", StringComparison.Ordinal));
        await server.StopAsync();
        var away = await CommandRun.Of("list", "--server", server.Address);

        Assert.Equal((1, 1), (tls.ExitCode, away.ExitCode));
        Assert.Contains("is not reached over TLS: ", Assert.Single(Lines(tls.Errors)), StringComparison.Ordinal);
        Assert.Contains($"no server answers at {server.Address}", Assert.Single(Lines(away.Errors)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Too_much_at_once_is_waited_for_and_an_act_of_which_nobody_knows_whether_it_happened_is_not_repeated()
    {
        await using var server = await ContractServer.StartAsync(File.ReadLines(_sample.Log));
        var refused = 0;
        server.Instead = _ => refused++ < 2 ? Results.Problem("Too many requests.", statusCode: 429) : null;
        var paused = await CommandRun.Of("pause", "federation", "--reason", "night", "--server", server.Address);
        var asked = server.Asked.Count;
        server.Instead = _ => Results.Problem("The broker is away.", statusCode: 503);
        var unknown = await CommandRun.Of("pause", "federation", "--reason", "night", "--server", server.Address);
        var acts = server.Asked.Count - asked;
        var read = await CommandRun.Of("list", "--server", server.Address);

        Assert.Equal((0, 1, 1), (paused.ExitCode, unknown.ExitCode, read.ExitCode));
        Assert.Equal((3, 1, 5), (asked, acts, server.Asked.Count - asked - acts));
        Assert.Contains("The broker is away.", unknown.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_act_goes_where_the_contract_says_with_its_reason()
    {
        await using var server = await ContractServer.StartAsync(File.ReadLines(_sample.Log));
        string[][] acts =
        [
            ["pause", "federation", "--reason", "night"],
            ["resume", "federation"],
            ["close", "federation", "--reason", "done"],
            ["exclude", "federation", "client-1", "--reason", "odd losses", "--until", "2126-01-02T03:04:05Z"],
            ["readmit", "federation", "client-1", "--reason", "mended"],
            ["remove", "federation", "--yes"],
        ];
        foreach (var act in acts)
        {
            var run = await CommandRun.Of([.. act, "--server", server.Address]);
            Assert.True(run.ExitCode == 0, run.Errors);
            Assert.StartsWith("federation: ", run.Output, StringComparison.Ordinal);
        }

        Assert.Equal(
            [
                "POST /api/federations/federation/pause night -",
                "POST /api/federations/federation/resume - -",
                "POST /api/federations/federation/close done -",
                "POST /api/federations/federation/clients/client-1/exclude odd losses 2126-01-02T03:04:05.0000000+00:00",
                "POST /api/federations/federation/clients/client-1/readmit mended -",
                "DELETE /api/federations/federation - -",
            ],
            server.Asked.Select(asked =>
            {
                var request = asked.Body.Length == 0
                    ? new SteeringRequest()
                    : JsonSerializer.Deserialize<SteeringRequest>(asked.Body, JsonSerializerOptions.Web)!;
                return $"{asked.Method} {asked.Path} {request.Reason ?? "-"} {request.Until?.ToString("O") ?? "-"}";
            }));
    }

    [Fact]
    public async Task Nothing_is_removed_where_nobody_can_be_asked_and_nobody_said_yes()
    {
        await using var server = await ContractServer.StartAsync(File.ReadLines(_sample.Log));

        var run = await CommandRun.Of("remove", "federation", "--server", server.Address);

        Assert.Equal(2, run.ExitCode);
        Assert.Contains("--yes is needed", run.Errors, StringComparison.Ordinal);
        Assert.Empty(server.Asked);
    }

    [Fact]
    public async Task Federations_and_one_of_them_are_shown_with_their_clients_bars_and_evaluations()
    {
        // Within the second round, whose commit is not written yet.
        var lines = File.ReadLines(_sample.Log)
            .TakeWhile(line => !line.Contains("\"RoundCommitted\",\"round\":2", StringComparison.Ordinal));
        await using var server = await ContractServer.StartAsync(lines);
        server.Reported = ["client-2"];
        server.Clients =
        [
            new ClientStatus("client-1", true, DateTimeOffset.UnixEpoch, 1, new SteeringStatus("ada", "odd \u001b[31mlosses")),
            new ClientStatus("client-2", false, null, 1, null),
        ];

        var list = await CommandRun.Of("list", "--server", server.Address);
        var show = await CommandRun.Of("show", "federation", "--server", server.Address);
        var json = await CommandRun.Of("show", "federation", "--server", server.Address, "--json");

        Assert.Equal((0, 0), (list.ExitCode, show.ExitCode));
        Assert.Matches(@"(?m)^federation +open +1/3 +2 +1 +3\.000 +1970-01-01 00:00:00Z$", list.Output);
        foreach (var said in new[]
        {
            "version 1 of 3", "round   2", "1 of 2 reported", "reported: client-2", "awaited:  client-1", "by ada: odd  [31mlosses", "gone",
            "3.000",
        })
            Assert.Contains(said, show.Output, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', show.Output);
        var shown = JsonDocument.Parse(json.Output).RootElement;
        Assert.Equal("Open", shown.GetProperty("federation").GetProperty("summary").GetProperty("phase").GetString());
        Assert.Equal("client-1", shown.GetProperty("clients")[0].GetProperty("name").GetString());
    }

    [Theory]
    [InlineData("90m", "2026-01-01T13:30:00Z")]
    [InlineData("12:00:00", "2026-01-02T00:00:00Z")]
    [InlineData("3d", "2026-01-04T12:00:00Z")]
    [InlineData("2026-02-03", "2026-02-03T00:00:00Z")]
    [InlineData("2026-02-03T04:00+02:00", "2026-02-03T02:00:00Z")]
    [InlineData("2025-12-31", null)]
    [InlineData("0", null)]
    [InlineData("soon", null)]
    public void An_exclusion_ends_at_a_time_to_come_or_so_long_from_now(string text, string? end) => Assert.Equal(
        end is null ? null : DateTimeOffset.Parse(end, System.Globalization.CultureInfo.InvariantCulture),
        ExcludeVerb.EndOf(text, new DateTimeOffset(2026, 1, 1, 12, 0, 0, TimeSpan.Zero)));

    public void Dispose()
    {
        _sample.Dispose();
        _folder.Dispose();
    }

    private static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
}
