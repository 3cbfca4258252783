using System.Text.Json;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Aggregation;
using FedKSeed.Federation.Log;
using FedKSeed.Federation.Rounds;
using FedKSeed.LogStore;
using Microsoft.Extensions.Options;

namespace FedKSeed.RoundService.Api;

/// <summary>What the API tells of federations: their books, and who was heard of. Safe to call from any thread.</summary>
internal sealed class FederationReader(
    FederationRegistry registry, FederationBooks books, RedisPresences presences, LogHistories histories,
    IOptions<RoundServiceOptions> options, TimeProvider time)
{
    /// <summary>Federations of a list that are looked at at once.</summary>
    private const int AtOnce = 16;

    /// <summary>How far back anybody was heard of "lately".</summary>
    private static readonly TimeSpan Lately = TimeSpan.FromHours(1);

    public DateTimeOffset Now => time.GetUtcNow();

    /// <summary>By name. One whose log is broken says so; a name whose log has not begun is no federation yet.</summary>
    public async Task<IReadOnlyList<FederationSummary>> AllAsync(CancellationToken cancel)
    {
        RegisteredFederation[] all = [.. (await registry.AllAsync(cancel)).Values];
        var summaries = new FederationSummary?[all.Length];
        await Parallel.ForAsync(
            0, all.Length, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancel },
            async (at, token) => summaries[at] = await SummaryAsync(all[at], token));
        return [.. summaries.OfType<FederationSummary>()];
    }

    /// <summary>The book of a federation, and the state at the end of its log.</summary>
    /// <exception cref="NoSuchFederationException">There is none, or only its name.</exception>
    public async Task<(FederationBook Book, FederationState State)> OfAsync(string name, CancellationToken cancel)
    {
        var book = await books.OfAsync(name, cancel);
        var state = await book.RefreshAsync(cancel);
        return state.Settings is null ? throw new NoSuchFederationException(name) : (book, state);
    }

    public async Task<FederationDetail> DetailAsync(string name, CancellationToken cancel)
    {
        var (book, state) = await OfAsync(name, cancel);
        var clients = (await AliveAsync(name, cancel)).Count;
        return new FederationDetail(
            Summary(state, clients), Json(state.Settings!), state.Head.Length, state.Head.Hash,
            state.Round is null ? null : Round(state, state.Round, await book.Log.ReadInHandKeysAsync(cancel)),
            state.Paused is { } paused ? new SteeringStatus(paused.Actor, paused.Reason) : null,
            state.Closed?.Version ?? state.KeptVersion, [.. state.Evaluations.Values]);
    }

    /// <summary>Who was ever assigned, or is alive, or barred, in ordinal order.</summary>
    public async Task<IReadOnlyList<ClientStatus>> ClientsAsync(string name, CancellationToken cancel)
    {
        var (book, state) = await OfAsync(name, cancel);
        var history = await histories.Of(book).UpToAsync(state.Head.Length, cancel);
        var heard = await presences.Of(name).LastHeardAsync(Lately, cancel);
        var now = Now;
        var barred = state.Barred.Keys.Where(client => state.IsBarred(client, now));
        return
        [
            .. history.Reports.Keys.Union(heard.Keys).Union(barred).Order(StringComparer.Ordinal).Select(client => new ClientStatus(
                client,
                heard.TryGetValue(client, out var at) && now - at < options.Value.ClientTimeout,
                heard.TryGetValue(client, out var seen) ? seen : null,
                history.Reports.GetValueOrDefault(client),
                state.BarOf(client, now) is { } bar ? new SteeringStatus(bar.Actor, bar.Reason, bar.Until) : null)),
        ];
    }

    public async Task<IReadOnlyList<VersionStatus>> VersionsAsync(string name, CancellationToken cancel)
    {
        var (book, state) = await OfAsync(name, cancel);
        var history = await histories.Of(book).UpToAsync(state.Head.Length, cancel);
        return
        [
            new VersionStatus(0, state.OpenedAt, 0, null, state.EvaluationOf(0)),
            .. history.Commits.Select(commit => new VersionStatus(
                commit.Version, commit.At, commit.Reports, commit.Digest, state.EvaluationOf(commit.Version))),
        ];
    }

    public async Task<ModelAccumulators> ModelAsync(string name, CancellationToken cancel)
    {
        var (_, state) = await OfAsync(name, cancel);
        var accumulators = state.Accumulators;
        var bytes = new byte[accumulators.Length * sizeof(long)];
        for (var seed = 0; seed < accumulators.Length; seed++)
            System.Buffers.Binary.BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(seed * sizeof(long)), accumulators.Span[seed]);
        return new ModelAccumulators(
            state.Version, state.Settings!.BaseModelDigest, JsonSerializer.SerializeToElement(state.Settings.Directions, EventLog.Json),
            bytes, Accumulators.Digest(accumulators.Span));
    }

    private async Task<FederationSummary?> SummaryAsync(RegisteredFederation federation, CancellationToken cancel)
    {
        try
        {
            var state = await books.Of(federation).RefreshAsync(cancel);
            return state.Settings is null ? null : Summary(state, (await AliveAsync(federation.Name, cancel)).Count);
        }
        catch (InvalidEntryException fault)
        {
            return new FederationSummary(
                federation.Name, federation.IsClosed ? FederationPhase.Closed : FederationPhase.Open, 0, 0, null, 0, federation.Since, null,
                null, fault.Message);
        }
    }

    private Task<IReadOnlyDictionary<string, DateTimeOffset>> AliveAsync(string name, CancellationToken cancel) =>
        presences.Of(name).LastHeardAsync(options.Value.ClientTimeout, cancel);

    private static FederationSummary Summary(FederationState state, int clients) => new(
        state.Settings!.Name,
        state.Closed is not null ? FederationPhase.Closed : state.Paused is not null ? FederationPhase.Paused : FederationPhase.Open,
        state.Version, state.Settings.Rounds, state.Round?.Number, clients, state.OpenedAt, state.LatestEvaluation?.Loss,
        state.Closed?.Reason.ToString());

    private RoundStatus Round(FederationState state, OpenRound round, IReadOnlySet<AssignmentKey> inHand)
    {
        var (settings, now) = (state.Settings!, Now);
        var deadlines = now < round.StartedAt + settings.RoundDeadline || inHand.Count >= settings.MinimumReports ? 1 : 2;
        return new RoundStatus(
            round.Number, round.StartedAt, round.StartedAt + deadlines * settings.RoundDeadline, [.. round.Participants],
            [.. inHand.Where(key => key.Round == round.Number).Select(key => key.Client).Distinct().Order(StringComparer.Ordinal)],
            state.IsContinuous
                ? settings.CommitEvery
                : RoundPolicy.QuorumOf(settings, round.Participants.Count(client => !state.IsBarred(client, now))));
    }

    private static JsonElement Json(FederationSettings settings) => JsonSerializer.SerializeToElement(settings, EventLog.Json);
}
