using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using FedKSeed.Federation.Log;
using FedKSeed.RoundService.Api;
using Polly;
using Polly.Timeout;

namespace FedKSeed.Cli.Remote;

/// <summary>What comes of a live log: a line of it, or, with none, that there will be no more.</summary>
internal readonly record struct LiveLine(string? Line);

/// <summary>Which entries of a log: what is null leaves it open.</summary>
/// <param name="Last">The last ones, so many; goes without <paramref name="From"/>.</param>
internal sealed record LogQuery(
    long? From = null, string? Kind = null, string? Client = null, int? Round = null, int? Last = null, int? Limit = null)
{
    /// <summary>Entries of a page.</summary>
    public const int Most = 1000;
}

/// <summary>
/// The API of the services (<see cref="FederationSummary"/> and what is beside it), as calls. Whatever goes wrong is one
/// <see cref="ServerException"/> with a sentence for a person. Safe to call from any thread.
/// </summary>
internal sealed class FederationServer : IDisposable
{
    private const int LargestAnswer = 256 << 20, LongestSaid = 2000;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { Converters = { new JsonStringEnumConverter() } };

    private readonly HttpClient _http;
    private readonly bool _hasToken;

    /// <param name="server">Where the API is, without /api.</param>
    /// <param name="token">Null for none.</param>
    public FederationServer(Uri server, string? token)
    {
        Server = server;
        _hasToken = token is not null;
        // An answer that goes on has no end that a time could be set for; its beginning has: see Retries.
        _http = new HttpClient(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(10) })
        {
            BaseAddress = new Uri(server.AbsoluteUri.TrimEnd('/') + "/api/"),
            Timeout = Timeout.InfiniteTimeSpan,
            MaxResponseContentBufferSize = LargestAnswer,
        };
        if (token is not null)
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
    }

    public Uri Server { get; }

    public Task<IReadOnlyList<FederationSummary>> ListAsync(CancellationToken cancel) =>
        ReadAsync<IReadOnlyList<FederationSummary>>("federations", cancel);

    /// <returns>Whether it is so by now; else it was asked for.</returns>
    public Task<bool> OpenAsync(JsonElement settings, CancellationToken cancel) =>
        ActAsync(HttpMethod.Post, "federations", new OpenRequest(settings), cancel);

    public Task<FederationDetail> ShowAsync(string federation, CancellationToken cancel) =>
        ReadAsync<FederationDetail>(Of(federation), cancel);

    public Task<IReadOnlyList<ClientStatus>> ClientsAsync(string federation, CancellationToken cancel) =>
        ReadAsync<IReadOnlyList<ClientStatus>>($"{Of(federation)}/clients", cancel);

    /// <param name="act">pause, resume or close; with a client, exclude or readmit.</param>
    /// <returns>Whether it is so by now; else it was asked for.</returns>
    public Task<bool> SteerAsync(
        string federation, string? client, string act, SteeringRequest request, CancellationToken cancel) => ActAsync(
        HttpMethod.Post, client is null ? $"{Of(federation)}/{act}" : $"{Of(federation)}/clients/{Uri.EscapeDataString(client)}/{act}",
        request, cancel);

    /// <returns>Whether it is so by now; else it was asked for.</returns>
    public Task<bool> RemoveAsync(string federation, CancellationToken cancel) =>
        ActAsync(HttpMethod.Delete, Of(federation), null, cancel);

    public Task<LogPage> LogAsync(string federation, LogQuery query, CancellationToken cancel)
    {
        var given = new (string Name, object? Value)[]
        {
            ("from", query.From), ("kind", query.Kind), ("client", query.Client), ("round", query.Round), ("last", query.Last),
            ("limit", query.Limit),
        };
        var text = string.Join('&', given.Where(item => item.Value is not null).Select(item =>
            FormattableString.Invariant($"{item.Name}={Uri.EscapeDataString(FormattableString.Invariant($"{item.Value}"))}")));
        return ReadAsync<LogPage>($"{Of(federation)}/log?{text}", cancel);
    }

    /// <summary>All lines of a log, as they come.</summary>
    public async IAsyncEnumerable<string> ExportAsync(string federation, [EnumeratorCancellation] CancellationToken cancel)
    {
        using var answer = await BeginAsync($"{Of(federation)}/log/export", cancel);
        using var text = new StreamReader(await answer.Content.ReadAsStreamAsync(cancel));
        while (await NextAsync(() => text.ReadLineAsync(cancel).AsTask(), cancel) is { } line)
            yield return line.Length <= EventLog.MaximumLine
                ? line
                : throw new ServerException($"the server at {Server} sends what is no log.", answer.StatusCode);
    }

    /// <summary>Lines from one on, each when it is written. Ends without a word where the connection does.</summary>
    public async IAsyncEnumerable<LiveLine> LiveAsync(string federation, long from, [EnumeratorCancellation] CancellationToken cancel)
    {
        using var answer = await BeginAsync(FormattableString.Invariant($"{Of(federation)}/log/live?from={from}"), cancel);
        await using var events = SseParser.Create(await answer.Content.ReadAsStreamAsync(cancel))
            .EnumerateAsync(cancel).GetAsyncEnumerator(cancel);
        while (await NextAsync(() => events.MoveNextAsync().AsTask(), cancel))
        {
            if (events.Current.EventType == "removed")
                throw new ServerException($"{federation} was removed meanwhile.", HttpStatusCode.NotFound);
            if (events.Current.EventType == "closed")
            {
                yield return new LiveLine(null);
                yield break;
            }
            yield return new LiveLine(events.Current.Data);
        }
    }

    public void Dispose() => _http.Dispose();

    private static string Of(string federation) => $"federations/{Uri.EscapeDataString(federation)}";

    private async Task<T> ReadAsync<T>(string address, CancellationToken cancel)
    {
        using var answer = await AskAsync(
            Retries.OfReads, () => new HttpRequestMessage(HttpMethod.Get, address), HttpCompletionOption.ResponseContentRead, cancel);
        try
        {
            return await answer.Content.ReadFromJsonAsync<T>(Json, cancel) ?? throw new JsonException();
        }
        catch (JsonException fault)
        {
            throw new ServerException(
                $"what the server at {Server} answers is not what services of this version say: is it a RoundService's address?",
                answer.StatusCode, fault);
        }
    }

    private async Task<HttpResponseMessage> BeginAsync(string address, CancellationToken cancel) => await AskAsync(
        Retries.OfReads, () => new HttpRequestMessage(HttpMethod.Get, address), HttpCompletionOption.ResponseHeadersRead, cancel);

    private async Task<bool> ActAsync(HttpMethod method, string address, object? body, CancellationToken cancel)
    {
        using var answer = await AskAsync(
            Retries.OfActs,
            () => new HttpRequestMessage(method, address)
            {
                Content = body is null ? null : JsonContent.Create(body, body.GetType(), null, Json),
            },
            HttpCompletionOption.ResponseContentRead, cancel);
        return answer.StatusCode != HttpStatusCode.Accepted;
    }

    private async Task<HttpResponseMessage> AskAsync(
        ResiliencePipeline<HttpResponseMessage> pipeline, Func<HttpRequestMessage> request, HttpCompletionOption completion,
        CancellationToken cancel)
    {
        HttpResponseMessage answer;
        try
        {
            answer = await pipeline.ExecuteAsync(
                async token =>
                {
                    using var asked = request();
                    return await _http.SendAsync(asked, completion, token);
                },
                cancel);
        }
        catch (Exception fault) when (fault is HttpRequestException or TimeoutRejectedException)
        {
            throw Unreached(fault);
        }
        if (answer.IsSuccessStatusCode)
            return answer;
        using (answer)
            throw await RefusalAsync(answer, cancel);
    }

    /// <summary>The next of an answer that goes on.</summary>
    private async Task<T> NextAsync<T>(Func<Task<T>> next, CancellationToken cancel)
    {
        try
        {
            return await next();
        }
        catch (Exception fault) when (fault is IOException or HttpRequestException && !cancel.IsCancellationRequested)
        {
            throw new ServerException($"the connection to the server at {Server} broke: {OneLine(fault.Message)}", null, fault);
        }
    }

    private ServerException Unreached(Exception fault) => new(
        fault switch
        {
            TimeoutRejectedException => $"the server at {Server} does not answer.",
            HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError } =>
                $"the server at {Server} is not reached over TLS: {OneLine((fault.InnerException ?? fault).Message)}",
            HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError } =>
                $"the server's name, {Server.Host}, is not known here.",
            _ => $"no server answers at {Server}: {OneLine((fault.InnerException ?? fault).Message)}.",
        },
        null, fault)
    { IsAway = fault is not HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError } };

    private async Task<ServerException> RefusalAsync(HttpResponseMessage answer, CancellationToken cancel)
    {
        var said = await SaidAsync(answer, cancel);
        return new ServerException(
            answer.StatusCode switch
            {
                HttpStatusCode.Unauthorized when !_hasToken =>
                    $"the server at {Server} asks for a token: give --token-file FILE, or {TokenFile.Variable}.",
                HttpStatusCode.Unauthorized =>
                    $"the server at {Server} does not know this token: it was revoked, or is of another store.",
                HttpStatusCode.Forbidden =>
                    $"the server at {Server} does not let this token's holder do that: {said ?? "it takes an operator's token."}",
                HttpStatusCode.TooManyRequests => $"the server at {Server} is asked too often: try again in a while.",
                _ => said ?? FormattableString.Invariant($"the server at {Server} answers {(int)answer.StatusCode} ({answer.StatusCode})."),
            },
            answer.StatusCode);
    }

    /// <summary>The detail of a problem, else its title; null where there is neither.</summary>
    private static async Task<string?> SaidAsync(HttpResponseMessage answer, CancellationToken cancel)
    {
        if (answer.Content.Headers.ContentType?.MediaType != "application/problem+json")
            return null;
        try
        {
            var problem = await answer.Content.ReadFromJsonAsync<Problem>(Json, cancel);
            return (problem?.Detail ?? problem?.Title) is { Length: > 0 } text ? OneLine(text) : null;
        }
        catch (Exception fault) when (fault is JsonException or HttpRequestException or IOException)
        {
            return null;
        }
    }

    private sealed record Problem(string? Title, string? Detail);

    /// <summary>Nothing that a terminal would obey, and no book.</summary>
    private static string OneLine(string text) =>
        string.Concat(text.Trim().Take(LongestSaid).Select(character => char.IsControl(character) ? ' ' : character));
}
