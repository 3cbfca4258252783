using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace FedKSeed.Bus;

/// <summary>
/// Tries once, before the bus does, whether the broker lets this process in. The bus would try for ever, and a wrong password does not get
/// right by waiting. A broker that is away is waited for.
/// </summary>
internal sealed class BrokerLogin(IOptions<BusOptions> options, BrokerReach reach) : IHostedService
{
    private const ushort NotAllowed = 530, AccessRefused = 403;

    /// <exception cref="OptionsValidationException">The broker knows no such user, password or virtual host.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var factory = new ConnectionFactory { Uri = options.Value.Broker };
        await reach.WaitAsync(factory);
        try
        {
            await using var connection = await factory.CreateConnectionAsync(cancellationToken);
            // It lets anybody into a virtual host that it does not have, and closes the connection then.
            await using var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
        }
        catch (Exception fault) when (Refusal(fault, factory) is { } refusal)
        {
            throw new OptionsValidationException(
                "Bus", typeof(BusOptions), [$"Bus:Broker: the broker at {factory.HostName}:{factory.Port} {refusal}"]);
        }
        catch (Exception fault) when (fault is RabbitMQClientException or IOException or OperationCanceledException)
        {
            // It went away again: the bus waits for it.
        }
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private static string? Refusal(Exception? fault, ConnectionFactory factory) => fault switch
    {
        null => null,
        AuthenticationFailureException or PossibleAuthenticationFailureException =>
            $"does not let user '{factory.UserName}' in: its name or its password is wrong.",
        OperationInterruptedException { ShutdownReason.ReplyCode: NotAllowed or AccessRefused } =>
            $"has no virtual host '{factory.VirtualHost}' for user '{factory.UserName}'.",
        AggregateException several =>
            several.InnerExceptions.Select(inner => Refusal(inner, factory)).FirstOrDefault(text => text is not null),
        _ => Refusal(fault.InnerException, factory),
    };
}
