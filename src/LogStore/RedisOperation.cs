using System.Net.Sockets;
using StackExchange.Redis;

namespace FedKSeed.LogStore;

/// <summary>
/// One operation of the client library, which ends in one of three ways only: with its result, with a <see cref="RedisException"/>, or with
/// a
/// <see cref="TimeoutException"/>. When a connection breaks, the library ends what waits on it with whatever its reader tripped over, or
/// with a cancellation that nobody asked for, or not at all.
/// </summary>
internal static class RedisOperation
{
    /// <summary>
    /// The client library gives up after 5 s by itself. This is for an operation that it loses with a connection: without an end it would
    /// keep its caller, and whoever waits for the caller, for ever.
    /// </summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    /// <exception cref="RedisException">Redis refuses it, or the connection broke: then nobody knows whether it happened.</exception>
    /// <exception cref="TimeoutException">Redis, or its client library, never came back to it.</exception>
    public static async Task<T> RunAsync<T>(Func<Task<T>> operation, CancellationToken cancel = default)
    {
        try
        {
            return await operation().WaitAsync(Patience, cancel).ConfigureAwait(false);
        }
        catch (Exception fault) when (IsOfABrokenConnection(fault) && !cancel.IsCancellationRequested)
        {
            throw new RedisConnectionException(
                ConnectionFailureType.InternalFailure, $"The connection to Redis broke under an operation: {fault.Message}", fault);
        }
    }

    /// <summary>A multiplexer that was disposed is none: this process ends.</summary>
    private static bool IsOfABrokenConnection(Exception fault) =>
        fault is InvalidOperationException and not ObjectDisposedException or IOException or SocketException or OperationCanceledException;
}
