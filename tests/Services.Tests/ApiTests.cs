using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Aggregation;
using FedKSeed.Federation.Log;
using FedKSeed.LogStore;
using FedKSeed.RoundService.Api;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace FedKSeed.Services.Tests;

/// <summary>The HTTP API of RoundService, as whoever has a token meets it.</summary>
public class ApiTests(RedisServer redis)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { Converters = { new JsonStringEnumConverter() } };

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_federation_lives_through_the_api_and_its_log_says_who_did_what()
    {
        await using var services = await ServiceHost.StartWithApiAsync(redis, "api-life");
        using var alice = await ClientAsync(services, "alice", TokenRole.Operator);

        var opened = await SendAsync<FederationDetail>(alice, HttpMethod.Post, "", HttpStatusCode.Created, Opening("lives"));
        Assert.Equal((FederationPhase.Open, 1L), (opened.Summary.Phase, opened.LogEntries));
        Assert.Equal("Best", opened.Settings.GetProperty("keep").GetString());
        Assert.Contains(await GetAsync<FederationSummary[]>(alice, ""), federation => federation.Name == "lives");

        var paused = await PostAsync(alice, "lives/pause", new SteeringRequest("a look at the data"));
        Assert.Equal((FederationPhase.Paused, "alice", "a look at the data"),
            (paused.Summary.Phase, paused.Paused!.Actor, paused.Paused.Reason));
        Assert.Equal(paused.LogEntries, (await PostAsync(alice, "lives/pause", new SteeringRequest("another reason"))).LogEntries);
        Assert.Equal(FederationPhase.Open, (await PostAsync(alice, "lives/resume")).Summary.Phase);

        var until = new DateTimeOffset(2150, 1, 1, 0, 0, 0, TimeSpan.FromHours(1));
        await PostAsync(alice, "lives/clients/a/exclude", new SteeringRequest("noise", until));
        var barred = Assert.Single(await GetAsync<ClientStatus[]>(alice, "lives/clients"));
        Assert.Equal(new ClientStatus("a", false, null, 0, new SteeringStatus("alice", "noise", until)), barred);
        await PostAsync(alice, "lives/clients/a/readmit", new SteeringRequest("mended"));
        Assert.Empty(await GetAsync<ClientStatus[]>(alice, "lives/clients"));

        Assert.Contains("close it first", await ProblemAsync(alice, HttpMethod.Delete, "lives", HttpStatusCode.Conflict));
        var closed = await PostAsync(alice, "lives/close", new SteeringRequest("enough"));
        Assert.Equal((FederationPhase.Closed, "Stopped"), (closed.Summary.Phase, closed.Summary.Closed));
        var last = Assert.Single((await GetAsync<LogPage>(alice, "lives/log?last=1")).Lines);
        Assert.Contains("\"actor\":\"alice\",\"why\":\"enough\"", last, StringComparison.Ordinal);
        Assert.Equal(closed.LogEntries, (await PostAsync(alice, "lives/close")).LogEntries);
        Assert.Contains("is closed", await ProblemAsync(alice, HttpMethod.Post, "lives/pause", HttpStatusCode.Conflict));
        Assert.Contains("is closed", await ProblemAsync(alice, HttpMethod.Post, "", HttpStatusCode.Conflict, Opening("lives")));

        var events = (await GetAsync<LogPage>(alice, "lives/log")).Lines.Select(line => JsonDocument.Parse(line).RootElement
            .GetProperty("event")).ToArray();
        Assert.Equal(
            ["FederationOpened", "FederationPaused", "FederationResumed", "ClientBarred", "ClientReadmitted", "FederationClosed"],
            events.Select(happened => happened.GetProperty("kind").GetString()));
        Assert.All(events, happened => Assert.Equal("alice", happened.GetProperty("actor").GetString()));

        using var removed = await alice.DeleteAsync("lives", Cancel);
        Assert.Equal(HttpStatusCode.NoContent, removed.StatusCode);
        Assert.Contains("'lives'", await ProblemAsync(alice, HttpMethod.Get, "lives", HttpStatusCode.NotFound));
        Assert.DoesNotContain(await GetAsync<FederationSummary[]>(alice, ""), federation => federation.Name == "lives");
    }

    [Fact]
    public async Task What_is_open_with_the_same_settings_stays_and_with_others_is_refused_with_what_differs()
    {
        await using var services = await ServiceHost.StartWithApiAsync(redis, "api-open");
        using var alice = await ClientAsync(services, "alice", TokenRole.Operator);
        await SendAsync<FederationDetail>(alice, HttpMethod.Post, "", HttpStatusCode.Created, Opening("twice"));
        var again = await SendAsync<FederationDetail>(alice, HttpMethod.Post, "", HttpStatusCode.OK, Opening("twice"));
        Assert.Equal(1, again.LogEntries);
        var conflict = await ProblemAsync(alice, HttpMethod.Post, "", HttpStatusCode.Conflict, Opening("twice", ("rounds", 9)));
        Assert.Contains("rounds", conflict);
        Assert.DoesNotContain("steps", conflict);

        var wrong = await ProblemAsync(
            alice, HttpMethod.Post, "", HttpStatusCode.BadRequest, Opening("Wrong Name", ("rounds", 0), ("baseModelDigest", "")));
        Assert.All(["Name must", "Rounds must", "BaseModelDigest"], fault => Assert.Contains(fault, wrong));
        Assert.Contains("ronds", await ProblemAsync(
            alice, HttpMethod.Post, "", HttpStatusCode.BadRequest, Opening("misspelt", ("ronds", 1))));
        Assert.Contains("object", await ProblemAsync(alice, HttpMethod.Post, "", HttpStatusCode.BadRequest, new { settings = 7 }));
        Assert.Contains("setings", await ProblemAsync(alice, HttpMethod.Post, "", HttpStatusCode.BadRequest, new { setings = 7 }));
        Assert.Null(await services.RegisteredAsync("misspelt"));
    }

    [Fact]
    public async Task What_no_log_could_hold_is_refused_before_anything_happens()
    {
        await using var services = await ServiceHost.StartWithApiAsync(redis, "api-words");
        using var alice = await ClientAsync(services, "alice", TokenRole.Operator);
        Task<string> Refused(string address, object? body) =>
            ProblemAsync(alice, HttpMethod.Post, $"api-words/{address}", HttpStatusCode.BadRequest, body);

        Assert.Contains("reason", await Refused("pause", new SteeringRequest(new string('x', Limits.Reason + 1))));
        Assert.Contains("reason", await Refused("close", new SteeringRequest("a\nb")));
        Assert.Contains("no name of a client", await Refused("clients/Mr.%20X/exclude", new SteeringRequest("x")));
        Assert.Contains("past", await Refused("clients/a/exclude", new SteeringRequest("x", DateTimeOffset.UnixEpoch)));
        Assert.Contains("2200", await Refused("clients/a/exclude", new SteeringRequest("x", DateTimeOffset.MaxValue)));
        Assert.Contains("rason", await Refused("pause", new { rason = "x" }));
        Assert.Equal(1, (await services.Book.RefreshAsync(Cancel)).Head.Length);
    }

    [Fact]
    public async Task A_federation_of_an_older_format_is_read_and_not_steered()
    {
        await using var services = await ServiceHost.StartWithApiAsync(redis, "api-old");
        var settings = new FederationSettings { Name = "old", BaseModelDigest = new string('b', 64), EvaluateEvery = 0 };
        var (lines, _) = EventLog.Write(LogHead.Start, new(2025, 1, 1, 0, 0, 0, TimeSpan.Zero), [new FederationOpenedEntry(3, settings)]);
        var database = redis.Of("api-old").Client.GetDatabase();
        await database.ListRightPushAsync("fedkseed:{old}:log", lines[0]);
        await database.SortedSetAddAsync("fedkseed:federations", "old", 1);
        using var alice = await ClientAsync(services, "alice", TokenRole.Operator);

        Assert.Equal(FederationPhase.Open, (await GetAsync<FederationDetail>(alice, "old")).Summary.Phase);
        Assert.Contains("format 3", await ProblemAsync(alice, HttpMethod.Post, "old/pause", HttpStatusCode.Conflict));
        Assert.Contains("format 3", await ProblemAsync(alice, HttpMethod.Post, "old/clients/a/exclude", HttpStatusCode.Conflict));
    }

    [Fact]
    public async Task Nothing_but_health_is_for_strangers_and_a_reader_steers_nothing()
    {
        await using var services = await ServiceHost.StartWithApiAsync(redis, "api-roles");
        using var nobody = new HttpClient { BaseAddress = services.Address };
        using var reader = await ClientAsync(services, "bob", TokenRole.Reader);
        var steering = 0;
        foreach (var (method, address) in Addresses(services))
        {
            using var stranger = await SendAsync(nobody, method, address);
            Assert.Equal((address, HttpStatusCode.Unauthorized), (address, stranger.StatusCode));
            Assert.Equal("Bearer", stranger.Headers.WwwAuthenticate.ToString());
            Assert.Equal("application/problem+json", stranger.Content.Headers.ContentType?.MediaType);
            if (method == HttpMethod.Get)
                continue;
            steering++;
            using var forbidden = await SendAsync(reader, method, address);
            Assert.Equal((address, HttpStatusCode.Forbidden), (address, forbidden.StatusCode));
            Assert.Contains("'bob'", await forbidden.Content.ReadAsStringAsync(Cancel));
        }
        Assert.Equal(7, steering);
        Assert.Equal("api-roles", (await GetAsync<FederationDetail>(reader, "api-roles")).Summary.Name);
        Assert.Equal("Healthy", await nobody.GetStringAsync("/health/live", Cancel));
    }

    [Fact]
    public async Task A_token_that_is_revoked_is_none_any_more_within_ten_seconds()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var services = await ServiceHost.StartWithApiAsync(redis, "api-revoked", time);
        using var bob = await ClientAsync(services, "bob", TokenRole.Reader);
        await GetAsync<FederationSummary[]>(bob, "");

        Assert.Equal(1, await services.Tokens.RevokeAsync("bob", Cancel));
        time.Advance(TimeSpan.FromSeconds(10));
        Assert.Contains("not revoked", await ProblemAsync(bob, HttpMethod.Get, "", HttpStatusCode.Unauthorized));
    }

    [Fact]
    public async Task An_address_that_sends_wrong_tokens_waits_and_who_is_known_does_not()
    {
        await using var services = await ServiceHost.StartWithApiAsync(redis, "api-wrong");
        using var bob = await ClientAsync(services, "bob", TokenRole.Reader);
        using var mallory = Client(services, AccessTokens.Prefix + "guess");
        await GetAsync<FederationSummary[]>(bob, "");
        var answers = await Task.WhenAll(Enumerable.Range(0, 30).Select(_ => mallory.GetAsync("", Cancel)));
        Assert.Contains(answers, answer => answer.StatusCode == HttpStatusCode.Unauthorized);
        var later = answers.Where(answer => answer.StatusCode == HttpStatusCode.TooManyRequests).ToArray();
        Assert.True(later.Length >= 10, $"{later.Length} were told to wait");
        Assert.All(later, answer => Assert.True(answer.Headers.RetryAfter!.Delta > TimeSpan.Zero));
        await GetAsync<FederationSummary[]>(bob, "");

        using var long1 = Client(services, new string('x', 4000));
        Assert.Contains("token", await ProblemAsync(long1, HttpMethod.Get, "", HttpStatusCode.Unauthorized));
    }

    [Fact]
    public async Task Too_many_requests_of_one_token_are_told_when_to_come_again_and_others_are_not_held_up()
    {
        await using var services = await ServiceHost.StartWithApiAsync(redis, "api-limits");
        using var alice = await ClientAsync(services, "alice", TokenRole.Operator);
        using var carol = await ClientAsync(services, "carol", TokenRole.Operator);
        var steered = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => alice.PostAsync("api-limits/resume", null, Cancel)));
        Assert.InRange(steered.Count(answer => answer.StatusCode == HttpStatusCode.OK), 20, 35);
        var later = steered.Where(answer => answer.StatusCode != HttpStatusCode.OK).ToArray();
        Assert.All(later, answer => Assert.Equal(HttpStatusCode.TooManyRequests, answer.StatusCode));
        Assert.All(later, answer => Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType));
        Assert.All(later, answer => Assert.True(answer.Headers.RetryAfter!.Delta > TimeSpan.Zero));
        await GetAsync<FederationSummary[]>(alice, "");
        await PostAsync(carol, "api-limits/resume");

        var streams = await Task.WhenAll(Enumerable.Range(0, 33).Select(_ => carol.GetAsync(
            "api-limits/log/live", HttpCompletionOption.ResponseHeadersRead, Cancel)));
        Assert.Single(streams, answer => answer.StatusCode == HttpStatusCode.TooManyRequests);
        foreach (var stream in streams)
            stream.Dispose();
    }

    [Fact]
    public async Task A_body_that_is_too_large_and_one_that_is_no_json_are_refused_without_a_stack()
    {
        await using var services = await ServiceHost.StartWithApiAsync(redis, "api-bodies");
        using var alice = await ClientAsync(services, "alice", TokenRole.Operator);
        Assert.Contains("256 KiB", await ProblemAsync(
            alice, HttpMethod.Post, "", HttpStatusCode.RequestEntityTooLarge, new { settings = new string('x', 300_000) }));
        using var torn = new StringContent("{\"reason\":", Encoding.UTF8, "application/json");
        using var answer = await alice.PostAsync("api-bodies/pause", torn, Cancel);
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.DoesNotContain("   at ", await answer.Content.ReadAsStringAsync(Cancel));
        await ProblemAsync(alice, HttpMethod.Get, "api-bodies/log?from=x", HttpStatusCode.BadRequest);
        await ProblemAsync(alice, HttpMethod.Get, "/api/nowhere", HttpStatusCode.NotFound);
        await ProblemAsync(alice, HttpMethod.Put, "api-bodies", HttpStatusCode.MethodNotAllowed);
    }

    [Fact]
    public async Task Everybody_is_let_in_on_loopback_only_and_no_page_of_another_site()
    {
        // Told by a setting, and in a way that only shows once the server listens.
        foreach (var url in (string?[])["http://127.0.0.1:0;http://0.0.0.0:0", null])
        {
            var refused = await Assert.ThrowsAsync<OptionsValidationException>(() => ServiceHost.StartWithApiAsync(
                redis, "api-everywhere", url: url, settings: ("Api:Anonymous", "true")));
            Assert.Contains("beyond loopback", Assert.Single(refused.Failures));
        }

        await using var services = await ServiceHost.StartWithApiAsync(redis, "api-anyone", settings: ("Api:Anonymous", "true"));
        using var anyone = new HttpClient { BaseAddress = new Uri(services.Address, "/api/federations/") };
        Assert.Equal("anonymous", (await PostAsync(anyone, "api-anyone/pause", new SteeringRequest("x"))).Paused!.Actor);
        anyone.DefaultRequestHeaders.Add("Origin", "https://elsewhere.example");
        await ProblemAsync(anyone, HttpMethod.Post, "api-anyone/resume", HttpStatusCode.Unauthorized);
        anyone.DefaultRequestHeaders.Remove("Origin");
        anyone.DefaultRequestHeaders.Host = "elsewhere.example";
        await ProblemAsync(anyone, HttpMethod.Post, "api-anyone/resume", HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task A_broken_log_is_said_to_be_and_can_be_read_and_no_other_federation_is_the_worse()
    {
        var database = redis.Of("api-sound").Client.GetDatabase();
        await database.ListRightPushAsync("fedkseed:{api-spoiled}:log", "no entry");
        await database.SortedSetAddAsync("fedkseed:federations", "api-spoiled", 1);
        await using var services = await ServiceHost.StartWithApiAsync(redis, "api-sound");
        using var alice = await ClientAsync(services, "alice", TokenRole.Operator);

        var all = await GetAsync<FederationSummary[]>(alice, "");
        Assert.Equal(["api-sound", "api-spoiled"], all.Select(federation => federation.Name));
        Assert.Null(all[0].Fault);
        Assert.Contains("Entry 0 is wrong", all[1].Fault);
        Assert.Contains("Entry 0 is wrong", await ProblemAsync(alice, HttpMethod.Get, "api-spoiled", HttpStatusCode.InternalServerError));
        await ProblemAsync(alice, HttpMethod.Post, "api-spoiled/pause", HttpStatusCode.InternalServerError);
        Assert.Equal(["no entry"], (await GetAsync<LogPage>(alice, "api-spoiled/log")).Lines);
        Assert.Empty((await GetAsync<LogPage>(alice, "api-spoiled/log?client=a")).Lines);
        Assert.Equal("no entry\n", await alice.GetStringAsync("api-spoiled/log/export", Cancel));
    }

    [Fact]
    public async Task A_round_shows_in_clients_versions_evaluations_and_the_model()
    {
        await using var services = await ServiceHost.StartWithApiAsync(
            redis, "api-round", settings: [("Federation:Rounds", "2"), ("Federation:EvaluateEvery", "1")]);
        using var bob = await ClientAsync(services, "bob", TokenRole.Reader);
        await services.Publish(new ClientAnnounced
        {
            Federation = "api-round",
            Client = "a",
            Worker = "test",
            Examples = 10,
            Device = "cpu",
        });
        var assignment = await services.Client.WaitFor<SeedsAssigned>(assigned => assigned.Assignment.Round == 1);
        var open = await GetAsync<FederationDetail>(bob, "api-round");
        Assert.Equal((1, 1, 1), (open.Round!.Number, open.Round.Quorum, open.Summary.Clients));
        Assert.Equal(["a"], open.Round.Participants);
        Assert.Empty(open.Round.Reported);
        Assert.Equal(TimeSpan.FromMinutes(5), open.Round.Deadline - open.Round.StartedAt);

        await services.Publish(ReportOn(assignment));
        await services.Published.WaitFor<RoundCommitted>(_ => true);
        await services.Publish(new ModelEvaluated
        {
            Federation = "api-round",
            Version = 1,
            Examples = 10,
            Loss = 1.5,
            ExactMatch = 0,
            RougeL = 0.5,
        });
        ModelEvaluatedEntry[] evaluations = [];
        while (evaluations.Length == 0)
        {
            await Task.Delay(50, Cancel);
            evaluations = await GetAsync<ModelEvaluatedEntry[]>(bob, "api-round/evaluations");
        }
        var state = await services.Book.RefreshAsync(Cancel);
        Assert.Equal([state.Evaluations[1]], evaluations);
        Assert.Equal(1.5, Assert.Single(await GetAsync<FederationSummary[]>(bob, "")).Loss);
        var client = Assert.Single(await GetAsync<ClientStatus[]>(bob, "api-round/clients"));
        Assert.Equal(("a", true, 1), (client.Name, client.IsAlive, client.Reports));
        Assert.NotNull(client.LastSeen);
        var versions = await GetAsync<VersionStatus[]>(bob, "api-round/versions");
        Assert.Equal(
            [(0, 0, null, null), (1, 1, state.LastCommit!.Digest, 1.5)],
            versions.Select(version => (version.Version, version.Reports, version.Digest, version.Evaluation?.Loss)));

        var model = await GetAsync<ModelAccumulators>(bob, "api-round/model?version=1");
        Assert.Equal((1, state.LastCommit.Digest), (model.Version, model.Digest));
        var accumulators = new long[model.Accumulators.Length / sizeof(long)];
        Buffer.BlockCopy(model.Accumulators, 0, accumulators, 0, model.Accumulators.Length);
        Assert.Equal(model.Digest, Accumulators.Digest(accumulators));
        Assert.Equal(4096, model.Directions.GetProperty("seedCount").GetInt32());
        Assert.Contains(
            "rebuild it from the log", await ProblemAsync(bob, HttpMethod.Get, "api-round/model?version=0", HttpStatusCode.Conflict));
    }

    [Fact]
    public async Task The_log_is_read_in_pages_filtered_from_its_end_and_as_a_whole_byte_for_byte()
    {
        await using var services = await ServiceHost.StartWithApiAsync(redis, "api-log");
        using var bob = await ClientAsync(services, "bob", TokenRole.Reader);
        await services.Book.AppendAsync((state, now) => FederationDecisions.StartRound(state, 1, ["a", "b", "c"], now), Cancel);
        await services.Book.AppendAsync((state, now) => FederationDecisions.Bar(state, "b", "„Lärm“ 😀", "alice", null, now), Cancel);
        var values = await redis.Of("api-log").Client.GetDatabase().ListRangeAsync("fedkseed:{api-log}:log");
        string[] stored = [.. values.Select(line => line.ToString())];

        Assert.Equal(
            values.SelectMany(line => ((byte[])line!).Append((byte)'\n')),
            await bob.GetByteArrayAsync("api-log/log/export", Cancel));

        List<string> paged = [];
        for (long from = 0, length = 1; from < length;)
        {
            var page = await GetAsync<LogPage>(bob, $"api-log/log?from={from}&limit=2");
            Assert.InRange(page.Lines.Count, 1, 2);
            paged.AddRange(page.Lines);
            (from, length) = (page.Next, page.Length);
        }
        Assert.Equal(stored, paged);

        string[] assigned = [.. stored.Where(line => line.Contains("SeedsAssigned"))];
        Assert.Equal(3, assigned.Length);
        Assert.Equal(assigned, (await GetAsync<LogPage>(bob, "api-log/log?kind=SeedsAssigned")).Lines);
        Assert.Equal(assigned[2..], (await GetAsync<LogPage>(bob, "api-log/log?kind=SeedsAssigned&last=1")).Lines);
        var ofB = await GetAsync<LogPage>(bob, "api-log/log?client=b");
        Assert.Equal(["RoundStarted", "SeedsAssigned", "ClientBarred"], ofB.Lines.Select(KindOf));
        Assert.Equal(4, (await GetAsync<LogPage>(bob, "api-log/log?round=1")).Lines.Count);
        Assert.Equal(stored[^2..], (await GetAsync<LogPage>(bob, "api-log/log?last=2")).Lines);
        var beyond = await GetAsync<LogPage>(bob, "api-log/log?from=1000000");
        Assert.Equal((0, stored.Length, stored.Length), (beyond.Lines.Count, (int)beyond.Next, (int)beyond.Length));

        var wrong = await ProblemAsync(
            bob, HttpMethod.Get, "api-log/log?from=-1&limit=1001&kind=Banana&last=0", HttpStatusCode.BadRequest);
        Assert.All(["from", "limit", "kind", "last"], word => Assert.Contains($"{word} must be", wrong));
    }

    [Fact]
    public async Task The_log_is_followed_live_to_its_end_and_taken_up_again_where_it_was_left()
    {
        await using var services = await ServiceHost.StartWithApiAsync(redis, "api-live", settings: ("Federation:Rounds", "1"));
        using var bob = await ClientAsync(services, "bob", TokenRole.Reader);
        var live = EventsAsync(bob, "api-live/log/live?from=0", after: null).GetAsyncEnumerator(Cancel);
        Assert.True(await live.MoveNextAsync());
        Assert.Equal("FederationOpened", KindOf(live.Current.Data));

        await services.Publish(new ClientAnnounced
        {
            Federation = "api-live",
            Client = "a",
            Worker = "test",
            Examples = 10,
            Device = "cpu",
        });
        List<Event> events = [live.Current];
        while (await live.MoveNextAsync())
        {
            events.Add(live.Current);
            if (live.Current.Name is null && KindOf(live.Current.Data) == "SeedsAssigned")
                await services.Publish(ReportOn(await services.Client.WaitFor<SeedsAssigned>(_ => true)));
        }
        await live.DisposeAsync();
        Assert.Equal("closed", events[^1].Name);
        var stored = await GetAsync<LogPage>(bob, "api-live/log");
        Assert.Equal(stored.Lines, events[..^1].Select(sent => sent.Data));
        Assert.Equal(Enumerable.Range(0, stored.Lines.Count).Select(id => $"{id}"), events[..^1].Select(sent => sent.Id));

        List<Event> rest = [];
        await foreach (var sent in EventsAsync(bob, "api-live/log/live?from=0", after: "1"))
            rest.Add(sent);
        Assert.Equal(events[2..], rest);
        await ProblemAsync(bob, HttpMethod.Get, "api-live/log/live?from=-1", HttpStatusCode.BadRequest);
        await ProblemAsync(bob, HttpMethod.Get, "nowhere/log/live", HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task A_stream_with_nothing_to_say_says_so_every_fifteen_seconds_and_ends_with_the_federation()
    {
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var services = await ServiceHost.StartWithApiAsync(redis, "api-silent", time);
        using var bob = await ClientAsync(services, "bob", TokenRole.Reader);
        using var answer = await bob.GetAsync("api-silent/log/live?from=1", HttpCompletionOption.ResponseHeadersRead, Cancel);
        Assert.Equal("text/event-stream", answer.Content.Headers.ContentType?.MediaType);
        using var lines = new StreamReader(await answer.Content.ReadAsStreamAsync(Cancel));
        var first = lines.ReadLineAsync(Cancel).AsTask();
        var began = time.GetTimestamp();
        while (!first.IsCompleted)
            await AdvanceAsync(time);
        Assert.StartsWith(":", await first);
        Assert.True(time.GetElapsedTime(began) >= TimeSpan.FromSeconds(15));

        await services.Books.RemoveAsync("api-silent", Cancel);
        var rest = lines.ReadToEndAsync(Cancel);
        while (!rest.IsCompleted)
            await AdvanceAsync(time);
        Assert.Contains("event: removed\n", await rest);

        static async Task AdvanceAsync(FakeTimeProvider time)
        {
            time.Advance(TimeSpan.FromMilliseconds(500));
            await Task.Delay(10, Cancel);
        }
    }

    [Fact]
    public async Task The_document_names_every_address_with_its_role()
    {
        await using var services = await ServiceHost.StartWithApiAsync(redis, "api-document");
        using var bob = await ClientAsync(services, "bob", TokenRole.Reader);
        var document = JsonDocument.Parse(await bob.GetStringAsync("/api/openapi.json", Cancel)).RootElement;
        var operations = document.GetProperty("paths").EnumerateObject().SelectMany(path => path.Value.EnumerateObject()
            .Select(operation => (Name: $"{operation.Name.ToUpperInvariant()} {path.Name}", operation.Value))).ToArray();
        Assert.Equal(
            services.Endpoints.Where(endpoint => Pattern(endpoint).StartsWith("/api/federations", StringComparison.Ordinal))
                .SelectMany(endpoint => MethodsOf(endpoint).Select(method => $"{method} {Pattern(endpoint)}")).Order(),
            operations.Select(operation => operation.Name).Order());
        Assert.All(operations, operation =>
        {
            Assert.NotEmpty(operation.Value.GetProperty("summary").GetString()!);
            Assert.Equal(
                !operation.Name.StartsWith("GET", StringComparison.Ordinal),
                !operation.Value.GetProperty("description").GetString()!.Contains("Reader", StringComparison.Ordinal));
            Assert.All(["401", "403", "429", "503"], status => operation.Value.GetProperty("responses").GetProperty(status));
            Assert.True(operation.Value.GetProperty("security")[0].TryGetProperty("token", out _));
        });
        Assert.Equal("bearer", document.GetProperty("components").GetProperty("securitySchemes").GetProperty("token")
            .GetProperty("scheme").GetString());
    }

    private static string KindOf(string line) =>
        JsonDocument.Parse(line).RootElement.GetProperty("event").GetProperty("kind").GetString()!;

    private static string Pattern(RouteEndpoint endpoint) => "/" + endpoint.RoutePattern.RawText!.Trim('/');

    private static IReadOnlyList<string> MethodsOf(RouteEndpoint endpoint) =>
        endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods ?? ["GET"];

    /// <summary>Every address below /api, and /metrics, with names for its parameters.</summary>
    private static IEnumerable<(HttpMethod, string)> Addresses(ServiceHost services) =>
        services.Endpoints.Where(endpoint => !Pattern(endpoint).StartsWith("/health", StringComparison.Ordinal)).SelectMany(endpoint =>
            MethodsOf(endpoint).Where(method => method != "HEAD").Select(method => (
                new HttpMethod(method),
                Pattern(endpoint).Replace("{name}", services.Federation, StringComparison.Ordinal)
                    .Replace("{client}", "a", StringComparison.Ordinal))));

    internal static async Task<HttpClient> ClientAsync(ServiceHost services, string holder, TokenRole role) =>
        Client(services, await services.Tokens.NewAsync(holder, role, Cancel));

    private static HttpClient Client(ServiceHost services, string token) => new()
    {
        BaseAddress = new Uri(services.Address, "/api/federations/"),
        DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", token) },
    };

    private static async Task<T> GetAsync<T>(HttpClient client, string address) =>
        await SendAsync<T>(client, HttpMethod.Get, address, HttpStatusCode.OK);

    private static Task<FederationDetail> PostAsync(HttpClient client, string address, SteeringRequest? request = null) =>
        SendAsync<FederationDetail>(client, HttpMethod.Post, address, HttpStatusCode.OK, request);

    private static async Task<T> SendAsync<T>(
        HttpClient client, HttpMethod method, string address, HttpStatusCode expected, object? body = null)
    {
        using var answer = await SendAsync(client, method, address, body);
        var text = await answer.Content.ReadAsStringAsync(Cancel);
        Assert.True(expected == answer.StatusCode, $"{method} {address}: {(int)answer.StatusCode} {text}");
        return JsonSerializer.Deserialize<T>(text, Json)!;
    }

    /// <summary>The detail of a refusal, which is what a person reads.</summary>
    private static async Task<string> ProblemAsync(
        HttpClient client, HttpMethod method, string address, HttpStatusCode expected, object? body = null)
    {
        using var answer = await SendAsync(client, method, address, body);
        var text = await answer.Content.ReadAsStringAsync(Cancel);
        Assert.True(expected == answer.StatusCode, $"{method} {address}: {(int)answer.StatusCode} {text}");
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        Assert.DoesNotContain("   at ", text);
        var problem = JsonDocument.Parse(text).RootElement;
        Assert.Equal((int)expected, problem.GetProperty("status").GetInt32());
        return problem.TryGetProperty("detail", out var detail) ? detail.GetString()! : "";
    }

    private static Task<HttpResponseMessage> SendAsync(HttpClient client, HttpMethod method, string address, object? body = null) =>
        client.SendAsync(
            new HttpRequestMessage(method, address) { Content = body is null ? null : JsonContent.Create(body, options: Json) }, Cancel);

    private static object Opening(string name, params (string Key, object Value)[] others)
    {
        var settings = new Dictionary<string, object>
        {
            ["name"] = name,
            ["baseModelDigest"] = new string('b', 64),
            ["stepsPerRound"] = 8,
            ["rounds"] = 1,
            ["evaluateEvery"] = 0,
        };
        foreach (var (key, value) in others)
            settings[key] = value;
        return new { settings };
    }

    private static ScalarsReported ReportOn(SeedsAssigned assignment)
    {
        var scalars = Enumerable.Range(1, assignment.Steps).SelectMany(step => BitConverter.GetBytes(step / 8f));
        return new ScalarsReported
        {
            Federation = assignment.Federation,
            Assignment = assignment.Assignment,
            BaseVersion = assignment.Version,
            Examples = 10,
            Scalars = [.. scalars],
            SkippedSteps = [],
        };
    }

    private sealed record Event(string? Id, string? Name, string Data);

    /// <summary>Server-sent events, as the standard has them, to the end of the stream.</summary>
    private static async IAsyncEnumerable<Event> EventsAsync(HttpClient client, string address, string? after)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        if (after is not null)
            request.Headers.Add("Last-Event-ID", after);
        using var answer = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel);
        Assert.Equal((HttpStatusCode.OK, "text/event-stream"), (answer.StatusCode, answer.Content.Headers.ContentType?.MediaType));
        using var lines = new StreamReader(await answer.Content.ReadAsStreamAsync(Cancel));
        var (id, name, data) = ((string?)null, (string?)null, "");
        while (await lines.ReadLineAsync(Cancel) is { } line)
        {
            if (line.Length == 0)
            {
                yield return new Event(id, name, data);
                (id, name, data) = (null, null, "");
            }
            else if (line.Split(": ", 2) is [var field, var value])
            {
                (id, name, data) = field switch
                {
                    "id" => (value, name, data),
                    "event" => (id, value, data),
                    "data" => (id, name, data + value),
                    _ => (id, name, data),
                };
            }
        }
    }
}
