using System.Collections.Concurrent;
using MassTransit;

namespace FedKSeed.Services.Tests;

/// <summary>Keeps every message of some types that reaches it, and waits for the one that a test is about.</summary>
public sealed class Inbox
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);
    private readonly ConcurrentQueue<(object Message, long Bytes)> _messages = new();

    public IReadOnlyList<T> All<T>() => [.. _messages.Select(item => item.Message).OfType<T>()];

    public long BytesOf<T>(Func<T, bool> which) => _messages.First(item => item.Message is T message && which(message)).Bytes;

    public async Task<T> WaitFor<T>(Func<T, bool> which, int count = 1)
    {
        using var timeout = new CancellationTokenSource(Patience);
        while (true)
        {
            if (All<T>().Where(which).Skip(count - 1).Any())
                return All<T>().Last(which);
            if (timeout.IsCancellationRequested)
                throw new TimeoutException(
                    $"No {typeof(T).Name} number {count} came. There came: {string.Join(", ", _messages.Select(item => item.Message))}");
            await Task.Delay(10, CancellationToken.None);
        }
    }

    public void Listen<T>(IReceiveEndpointConfigurator endpoint) where T : class =>
        endpoint.Handler<T>(context =>
        {
            _messages.Enqueue((context.Message, context.ReceiveContext.Body.Length ?? -1));
            return Task.CompletedTask;
        });
}
