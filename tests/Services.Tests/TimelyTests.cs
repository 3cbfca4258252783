using FedKSeed.Bus;
using FedKSeed.LogStore;
using MassTransit;
using StackExchange.Redis;

namespace FedKSeed.Services.Tests;

/// <summary>Whatever a library does with what waits on a connection when that breaks, a service waits for it or tries again.</summary>
public class TimelyTests
{
    [Fact]
    public async Task A_delivery_that_is_never_confirmed_and_does_not_listen_to_cancellation_ends_all_the_same()
    {
        var never = new TaskCompletionSource();

        var fault = await Assert.ThrowsAsync<BrokerAwayException>(() =>
            TimelyDelivery.InTimeAsync(_ => never.Task, TimeSpan.FromMilliseconds(20), TestContext.Current.CancellationToken));

        Assert.True(FederationBus.IsBusAway(fault));
    }

    [Theory]
    [InlineData(typeof(MassTransitException))]
    [InlineData(typeof(RabbitMQ.Client.Exceptions.AlreadyClosedException))]
    [InlineData(typeof(IOException))]
    [InlineData(typeof(ObjectDisposedException))]
    [InlineData(typeof(TaskCanceledException))]
    public async Task A_delivery_whose_connection_breaks_says_that_the_broker_is_away_however_it_shows(Type fault)
    {
        var thrown = await Record.ExceptionAsync(() =>
            TimelyDelivery.InTimeAsync(_ => throw Of(fault), TimeSpan.FromMinutes(1), TestContext.Current.CancellationToken));

        Assert.True(FederationBus.IsBusAway(thrown!), thrown!.ToString());
    }

    [Fact]
    public async Task A_delivery_that_its_caller_cancels_is_cancelled()
    {
        using var caller = new CancellationTokenSource();
        await caller.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => TimelyDelivery.InTimeAsync(_ => new TaskCompletionSource().Task, TimeSpan.FromMinutes(1), caller.Token));
    }

    [Theory]
    [InlineData(typeof(InvalidOperationException))]
    [InlineData(typeof(IOException))]
    [InlineData(typeof(TaskCanceledException))]
    [InlineData(typeof(RedisTimeoutException))]
    [InlineData(typeof(RedisConnectionException))]
    public async Task An_operation_whose_connection_breaks_says_that_the_store_is_away_however_it_shows(Type fault)
    {
        var thrown = await Record.ExceptionAsync(
            () => RedisOperation.RunAsync<bool>(() => throw Of(fault), TestContext.Current.CancellationToken));

        Assert.True(LogStoreRegistration.IsStoreAway(thrown!), thrown!.ToString());
    }

    [Fact]
    public async Task An_operation_that_its_caller_cancels_is_cancelled()
    {
        using var caller = new CancellationTokenSource();
        await caller.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => RedisOperation.RunAsync(() => new TaskCompletionSource<bool>().Task, caller.Token));
    }

    private static Exception Of(Type fault) => fault.Name switch
    {
        nameof(RedisTimeoutException) => new RedisTimeoutException("slow", CommandStatus.Sent),
        nameof(RedisConnectionException) => new RedisConnectionException(ConnectionFailureType.SocketClosed, "closed"),
        nameof(ObjectDisposedException) => new ObjectDisposedException("channel"),
        nameof(RabbitMQ.Client.Exceptions.AlreadyClosedException) => new RabbitMQ.Client.Exceptions.AlreadyClosedException(
            new RabbitMQ.Client.Events.ShutdownEventArgs(RabbitMQ.Client.ShutdownInitiator.Library, 0, "End of stream")),
        _ => (Exception)Activator.CreateInstance(fault, "broken")!,
    };
}
