using System.Globalization;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.RateLimiting;

namespace FedKSeed.RoundService.Api;

/// <summary>How much of the API a token may use, or an address that has none.</summary>
internal static class ApiLimits
{
    /// <summary>Bytes of a body: settings are a few kilobytes, with a pattern for every tensor of a large model a hundred.</summary>
    public const int Body = 256 << 10;

    /// <summary>Policy of streams, which take no request after their first.</summary>
    public const string Streams = "Streams";

    private const int StreamsAtOnce = 32;

    private static readonly Bucket Reading = new(50, 100), Steering = new(5, 20);

    public static void Add(RateLimiterOptions options)
    {
        options.GlobalLimiter = PartitionedRateLimiter.Create<HttpContext, (string, string)>(context =>
            PolicyOf(context) switch
            {
                null => RateLimitPartition.GetNoLimiter(("", "")),
                ApiPolicies.Steer => Steering.Partition((ApiPolicies.Steer, UserOf(context))),
                var policy => Reading.Partition((policy, UserOf(context))),
            });
        options.AddPolicy(Streams, context => RateLimitPartition.GetConcurrencyLimiter(
            UserOf(context), _ => new ConcurrencyLimiterOptions { PermitLimit = StreamsAtOnce }));
        options.OnRejected = async (rejected, _) => await RefuseAsync(
            rejected.HttpContext, Bucket.WaitOf(rejected.Lease) ?? TimeSpan.FromSeconds(1), "Too many requests, or streams at once.");
    }

    /// <summary>429, and when to come again.</summary>
    public static Task RefuseAsync(HttpContext context, TimeSpan wait, string detail)
    {
        var seconds = (int)Math.Max(1, Math.Ceiling(wait.TotalSeconds));
        context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        return Problems.Of(StatusCodes.Status429TooManyRequests, $"{detail} Try again in {seconds} s.").ExecuteAsync(context);
    }

    public static string AddressOf(HttpContext context) => context.Connection.RemoteIpAddress?.ToString() ?? "";

    private static string? PolicyOf(HttpContext context) => context.GetEndpoint()?.Metadata.GetMetadata<IAuthorizeData>()?.Policy;

    private static string UserOf(HttpContext context) =>
        context.User.FindFirst(TokenAuthentication.Token)?.Value ?? AddressOf(context);
}

/// <summary>Wrong tokens by address: ten at once, then one a second.</summary>
internal sealed class WrongTokens : IDisposable
{
    // Of many at once only so many are looked at before the first of them is known to be wrong.
    private const int LooksAtOnce = 4, Waiting = 64;

    private readonly PartitionedRateLimiter<string> _looks = PartitionedRateLimiter.Create<string, string>(address =>
        RateLimitPartition.GetConcurrencyLimiter(
            address, _ => new ConcurrencyLimiterOptions { PermitLimit = LooksAtOnce, QueueLimit = Waiting }));

    private readonly PartitionedRateLimiter<string> _byAddress =
        PartitionedRateLimiter.Create<string, string>(address => new Bucket(1, 10).Partition(address));

    /// <summary>Waits until a token that is not known yet may be looked at; none is acquired where too many wait already.</summary>
    public ValueTask<RateLimitLease> LookAsync(HttpContext context) =>
        _looks.AcquireAsync(ApiLimits.AddressOf(context), 1, context.RequestAborted);

    /// <summary>How long an address waits before another token of it is looked at; null for not at all.</summary>
    public TimeSpan? MustWait(HttpContext context)
    {
        // A lease of none is had while there is one to be had.
        using var lease = _byAddress.AttemptAcquire(ApiLimits.AddressOf(context), 0);
        return lease.IsAcquired ? null : TimeSpan.FromSeconds(1);
    }

    public void Count(HttpContext context) => _byAddress.AttemptAcquire(ApiLimits.AddressOf(context)).Dispose();

    public void Dispose()
    {
        _looks.Dispose();
        _byAddress.Dispose();
    }
}

/// <summary>So many a second, and so many at once after a pause.</summary>
internal sealed record Bucket(int Rate, int Burst)
{
    public RateLimitPartition<T> Partition<T>(T key) => RateLimitPartition.GetTokenBucketLimiter(key, _ => new TokenBucketRateLimiterOptions
    {
        TokenLimit = Burst,
        TokensPerPeriod = Rate,
        ReplenishmentPeriod = TimeSpan.FromSeconds(1),
    });

    public static TimeSpan? WaitOf(RateLimitLease lease) => lease.TryGetMetadata(MetadataName.RetryAfter, out var wait) ? wait : null;
}
