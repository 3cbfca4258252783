using System.Collections.Concurrent;
using System.Security.Claims;
using System.Text.Encodings.Web;
using FedKSeed.LogStore;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.Options;

namespace FedKSeed.RoundService.Api;

/// <summary>Who may do what, as endpoints say it.</summary>
internal static class ApiPolicies
{
    public const string Read = "Read", Steer = "Steer";

    public static void Add(AuthorizationOptions options)
    {
        options.AddPolicy(Read, policy => policy.RequireRole(nameof(TokenRole.Reader), nameof(TokenRole.Operator)));
        options.AddPolicy(Steer, policy => policy.RequireRole(nameof(TokenRole.Operator)));
    }
}

/// <summary>Tokens that were found a moment ago: one that is revoked is none any more within <see cref="Age"/>.</summary>
internal sealed class KnownTokens(AccessTokens tokens, TimeProvider time)
{
    public static readonly TimeSpan Age = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<string, (AccessToken Token, long At)> _found = new(StringComparer.Ordinal);

    public AccessToken? Known(string token) =>
        _found.TryGetValue(AccessTokens.HashOf(token), out var found) && time.GetElapsedTime(found.At) < Age ? found.Token : null;

    /// <summary>Null for one that was never given out, or was revoked.</summary>
    public async Task<AccessToken?> FindAsync(string token, CancellationToken cancel)
    {
        if (Known(token) is { } known)
            return known;
        var at = time.GetTimestamp();
        var found = await tokens.FindAsync(token, cancel);
        if (found is null)
            _found.TryRemove(AccessTokens.HashOf(token), out _);
        else
            // No more of them than were ever given out.
            _found[AccessTokens.HashOf(token)] = (found, at);
        return found;
    }
}

/// <summary>
/// "Authorization: Bearer TOKEN". Every token costs a hash and one look at the store, whatever is in it; an address that sent many wrong
/// ones waits before another one is looked at.
/// </summary>
internal sealed class TokenAuthentication(
    IOptionsMonitor<AuthenticationSchemeOptions> scheme, ILoggerFactory log, UrlEncoder encoder, KnownTokens tokens, WrongTokens wrong,
    IOptions<ApiOptions> api)
    : AuthenticationHandler<AuthenticationSchemeOptions>(scheme, log, encoder)
{
    public const string BearerScheme = "Bearer";

    /// <summary>A claim: which of its holder's tokens it is.</summary>
    public const string Token = "token";

    private const string Anonymous = "anonymous";

    /// <summary>No token is longer; what is may be anything.</summary>
    private const int MaximumLength = 128;

    private TimeSpan? _wait;

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        if (Context.GetEndpoint()?.Metadata.GetMetadata<IAuthorizeData>() is null)
            return AuthenticateResult.NoResult();
        if (Request.Headers.Authorization.Count == 0)
            return api.Value.Anonymous && Loopback.IsWithin(Context)
                ? Success(new AccessToken(Anonymous, TokenRole.Operator, default), Anonymous)
                : AuthenticateResult.NoResult();
        var header = Request.Headers.Authorization.ToString();
        if (!header.StartsWith(BearerScheme + " ", StringComparison.OrdinalIgnoreCase))
            return AuthenticateResult.Fail("It is no bearer token.");
        var token = header[BearerScheme.Length..].Trim();
        if (token.Length > MaximumLength)
            return AuthenticateResult.Fail("It is too long for a token.");
        return tokens.Known(token) is { } known ? Success(known, AccessTokens.HashOf(token)) : await LookAsync(token);
    }

    private async Task<AuthenticateResult> LookAsync(string token)
    {
        using var look = await wrong.LookAsync(Context);
        _wait = look.IsAcquired ? wrong.MustWait(Context) : TimeSpan.FromSeconds(1);
        if (_wait is not null)
            return AuthenticateResult.Fail("This address sent too many wrong tokens.");
        if (await tokens.FindAsync(token, Context.RequestAborted) is { } found)
            return Success(found, AccessTokens.HashOf(token));
        wrong.Count(Context);
        return AuthenticateResult.Fail("There is no such token.");
    }

    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        if (_wait is { } wait)
            return ApiLimits.RefuseAsync(Context, wait, "This address sent too many wrong tokens.");
        Response.Headers.WWWAuthenticate = BearerScheme;
        return Problems.Of(
            StatusCodes.Status401Unauthorized,
            "It takes a token, \"Authorization: Bearer TOKEN\", that was given out and not revoked: fedkseed token new.")
            .ExecuteAsync(Context);
    }

    protected override Task HandleForbiddenAsync(AuthenticationProperties properties) => Problems.Of(
        StatusCodes.Status403Forbidden,
        $"'{Context.User.Identity?.Name}' may read, not steer: that takes a token of role {nameof(TokenRole.Operator)}.")
        .ExecuteAsync(Context);

    private AuthenticateResult Success(AccessToken token, string id) => AuthenticateResult.Success(new AuthenticationTicket(
        new ClaimsPrincipal(new ClaimsIdentity(
            [new(ClaimTypes.Name, token.Holder), new(ClaimTypes.Role, token.Role.ToString()), new(Token, id)], Scheme.Name)),
        Scheme.Name));
}
