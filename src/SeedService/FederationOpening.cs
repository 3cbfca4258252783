using FedKSeed.Bus;
using FedKSeed.Contracts;
using FedKSeed.Federation;
using FedKSeed.Federation.Log;
using FedKSeed.LogStore;
using MassTransit;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace FedKSeed.SeedService;

/// <summary>Settings that nobody said: an open federation's own stand.</summary>
/// <param name="Keep">
/// A federation that is opened keeps its best version then; logs of earlier releases say nothing, and mean the last.
/// </param>
public sealed record Unsaid(bool Keep);

/// <summary>
/// Opens the federation if its log is empty, and asks for evaluations that are due and not there: at the start, and again at
/// intervals in case nobody heard. An evaluator takes a version once.
/// </summary>
public sealed partial class FederationOpening(
    FederationBook book, VersionHistory versions, IOptions<FederationSettings> settings, IOptions<RedisOptions> redis, Unsaid unsaid,
    IBus bus, TimeProvider time, ILogger<FederationOpening> log)
    : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(30);

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        var state = await OpenAsync(cancellationToken);
        if (state.Closed is { } closed)
            IsClosed(settings.Value.Name, closed.Reason, closed.Version);
        else
            Opened(settings.Value.Name, state.Version, state.Head.Length);
        await base.StartAsync(cancellationToken);
    }

    /// <summary>Waits for a Redis that is away; one that refuses is not waited for.</summary>
    private async Task<FederationState> OpenAsync(CancellationToken cancel)
    {
        var given = settings.Value;
        for (var isAway = false; ; isAway = true)
            try
            {
                return await book.AppendAsync(
                    state => FederationDecisions.Open(
                        state, unsaid.Keep && state.Settings is { } opened ? given with { Keep = opened.Keep } : given),
                    cancel);
            }
            catch (Exception fault) when (LogStoreRegistration.IsStoreAway(fault))
            {
                RedisRefusal.RequireNone(fault, redis.Value.Connection);
                if (!isAway)
                    AwayAtStart(LogStoreRegistration.WhyAway(fault));
            }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        var isAway = false;
        do
        {
            try
            {
                var state = await book.RefreshAsync(stoppingToken);
                if (IsEvaluationMissing(state))
                    // Without an evaluator no two of these wait.
                    await bus.PublishInTimeAsync(
                        new EvaluationRequested
                        {
                            Federation = settings.Value.Name,
                            Model = versions.Of(state).Model
                        }, Interval, stoppingToken);
                isAway = false;
            }
            catch (Exception fault) when (LogStoreRegistration.IsStoreAway(fault) || FederationBus.IsBusAway(fault))
            {
                if (!isAway)
                    Away(LogStoreRegistration.WhyAway(fault));
                isAway = true;
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The federation is opened when Redis answers: {Reason}")]
    private partial void AwayAtStart(string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Asking for an evaluation again later: {Reason}")]
    private partial void Away(string reason);

    private static bool IsEvaluationMissing(FederationState state) =>
        state.Closed is null && state.Settings!.IsEvaluationDue(state.Version) && state.EvaluationOf(state.Version) is null;

    [LoggerMessage(
        Level = LogLevel.Information,
        Message = "Federation {Federation} is closed: {Reason}, version {Version} is kept; it takes no more reports")]
    private partial void IsClosed(string federation, FederationEnd reason, int version);

    [LoggerMessage(Level = LogLevel.Information, Message = "Federation {Federation} is open at version {Version}, {Entries} entries")]
    private partial void Opened(string federation, int version, long entries);
}
