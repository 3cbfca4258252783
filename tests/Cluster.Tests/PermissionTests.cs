using System.Text.RegularExpressions;
using FedKSeed.Bus;
using FedKSeed.Contracts;
using FedKSeed.EndToEnd.Tests;
using FedKSeed.LocalServers;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace FedKSeed.Cluster.Tests;

/// <summary>The users and rights that docs/OPERATIONS.md tells an operator to give are enough for a round, and for little else.</summary>
public sealed partial class PermissionTests(Servers servers)
{
    private const string Federation = "permitted", Client = SeedServiceOnBroker.Client, Password = "a-password";

    [Fact]
    public async Task With_the_rights_of_the_documents_a_federation_runs_and_a_client_reaches_nobody_else_s_queues()
    {
        await GiveRightsAsync();
        await using var service = await SeedServiceOnBroker.StartAsync(
            servers, Federation, ("Bus:Broker", AddressOf("services")), ("Federation:BaseModelDigest", WorkerOnBroker.Digest),
            ("Federation:StepsPerRound", "2"), ("Federation:Rounds", "1000"), ("HasClock", "true"), ("RoundService:Tick", "00:00:00.100"));
        var requested = await service.Tap<VersionRequested>();
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await using (await WorkerAsync())
            await UntilVersionAsync(service, 5, timeout.Token);

        // A new process holds no version. It asks for the whole as soon as what waits for it is a change, which a version of another unit
        // is not.
        for (var requests = 0; requests == 0; requests = await service.CountAsync(requested))
        {
            await using var another = await WorkerAsync();
            await UntilVersionAsync(service, (await service.Book.RefreshAsync(timeout.Token)).Version + 3, timeout.Token);
        }

        await using var worker = await WorkerAsync();
        await worker.UntilReadyAsync();
        await AssertPoisonIsKeptAsync(service);
        await AssertRefusedAsync(channel => channel.BasicConsumeAsync(
            "fedkseed-service-scalars-reported", autoAck: true, new AsyncDefaultBasicConsumer(channel)));
        await AssertRefusedAsync(channel => channel.BasicConsumeAsync(
            QueueNames.OfClient("client-2"), autoAck: true, new AsyncDefaultBasicConsumer(channel)));
        await AssertRefusedAsync(channel => channel.QueueDeclareAsync("fedkseed-service-round-closed", durable: true));
        await AssertRefusedAsync(
            async channel => await channel.BasicPublishAsync($"FedKSeed.Contracts:{nameof(RoundClosed)}", "", default));
    }

    private Task<WorkerOnBroker> WorkerAsync() => WorkerOnBroker.StartAsync(
        servers, Federation, ("Bus:Broker", AddressOf("hospital-a")), ("Memberships:0:Evaluator:Data", ""));

    private static async Task UntilVersionAsync(SeedServiceOnBroker service, int version, CancellationToken cancel)
    {
        while ((await service.Book.RefreshAsync(cancel)).Version < version)
            await Task.Delay(50, cancel);
    }

    /// <summary>Of a service and of a worker, under their rights: what cannot be worked off ends in their error queues.</summary>
    private static Task AssertPoisonIsKeptAsync(SeedServiceOnBroker service)
    {
        var (own, closed) = (QueueNames.OfClient(Client), "fedkseed-service-round-closed");
        return service.AssertKeptAsync(
        [
            (own, queue => service.Put(queue, "not json"u8.ToArray()), ""),
            (own, queue => service.Put(queue, "SeedsAssigned2", new { }), "dead-letter"),
            (own, queue => service.Put(queue, "SeedsAssigned", new { federation = Federation }), "required"),
            (own, queue => service.Put(queue, "ReportRejected", new { federation = Federation, reason = 1 }), ""),
            (closed, queue => service.Put(queue, "not json"u8.ToArray()), ""),
            (closed, queue => service.Put(queue, "RoundClosed2", new { }), "dead-letter"),
            (closed, queue => service.Put(queue, "RoundClosed", new { federation = Federation, round = 1, reason = "17" }), "not one of"),
        ]);
    }

    private string AddressOf(string user) =>
        new UriBuilder(servers.Of(Federation).Broker) { UserName = user, Password = Password }.Uri.ToString();

    /// <summary>Runs the document's lines, for this test's federation and client.</summary>
    private async Task GiveRightsAsync()
    {
        var document = await File.ReadAllTextAsync(Path.Combine(Fedkseed.Samples, "..", "docs", "OPERATIONS.md"));
        var lines = Line().Matches(document).Select(line => line.Groups["arguments"].Value).ToArray();
        Assert.Equal(4, lines.Length);
        foreach (var line in lines)
            await RabbitMqServer.ControlAsync(
                servers.Broker.Node, TestContext.Current.CancellationToken,
                Argument().Matches(line).SelectMany(argument => argument.Value.Trim('\'')
                    .Replace("PASSWORD", Password, StringComparison.Ordinal)
                    .Replace("fedkseed-client-hospital-a", QueueNames.OfClient(Client), StringComparison.Ordinal)
                    .Replace("set_permissions", $"set_permissions -p {servers.Of(Federation).VirtualHost}", StringComparison.Ordinal)
                    .Split(' ')));
    }

    private async Task AssertRefusedAsync(Func<IChannel, Task> act)
    {
        await using var connection = await new ConnectionFactory { Uri = new(AddressOf("hospital-a")) }.CreateConnectionAsync();
        await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, true));
        var refused = await Assert.ThrowsAnyAsync<Exception>(() => act(channel));
        var reason = channel.CloseReason ?? (refused as OperationInterruptedException)?.ShutdownReason;
        Assert.Equal(403, reason?.ReplyCode ?? 0);
    }

    [GeneratedRegex(@"^ {4}rabbitmqctl (?<arguments>(?:add_user|set_permissions) .*)$", RegexOptions.Multiline)]
    private static partial Regex Line();

    [GeneratedRegex(@"'[^']*'|\S+")]
    private static partial Regex Argument();
}
