using System.Security.Authentication;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace FedKSeed.LogStore;

/// <summary>
/// What a Redis that does not let a process in has said of it. The client library tries again for ever, and takes a wrong password for a
/// broken connection; it does not get right by waiting.
/// </summary>
public static class RedisRefusal
{
    /// <summary>Why, for a person and without the password; null for a fault of another kind: that nobody answers, for example.</summary>
    /// <param name="fault">What an operation, or an attempt to connect, ended with.</param>
    /// <param name="connection">StackExchange.Redis configuration.</param>
    public static string? Of(Exception? fault, string connection)
    {
        var options = ConfigurationOptions.Parse(connection);
        var (user, redis) = ($"user '{options.User ?? "default"}'", $"the Redis at {Addresses(connection)}");
        var faults = new List<Exception>();
        for (var at = fault; at is not null; at = at.InnerException)
            faults.Add(at);
        if (faults.OfType<AuthenticationException>().FirstOrDefault() is { } untrusted)
            return $"{redis} is not reached over TLS: {untrusted.Message}";
        if (faults.OfType<RedisServerException>()
            .FirstOrDefault(answer => answer.Message.StartsWith("NOPERM", StringComparison.Ordinal)) is { } forbidden)
            return $"{redis} does not let {user} do what is needed: {forbidden.Message}";
        if (!faults.OfType<RedisConnectionException>().Any(broken => broken.FailureType == ConnectionFailureType.AuthenticationFailure))
            return null;
        return options.Password is null
            ? $"{redis} asks for a password, and there is none: add password=… to its connection, or user=…,password=…."
            : $"{redis} does not let {user} in: its name or its password is wrong.";
    }

    /// <exception cref="OptionsValidationException">The fault is a refusal.</exception>
    public static void RequireNone(Exception fault, string connection)
    {
        if (Of(fault, connection) is { } refusal)
            throw new OptionsValidationException("Redis", typeof(RedisOptions), [$"Redis:Connection: {refusal}"]);
    }

    /// <summary>Where a connection leads, for messages: the rest of it may be a secret.</summary>
    public static string Addresses(string connection) => string.Join(
        ", ", ConfigurationOptions.Parse(connection).EndPoints
            .Select(endpoint => endpoint.ToString()!.Replace("Unspecified/", "", StringComparison.Ordinal)));
}
