using System.Diagnostics;
using System.Runtime.InteropServices;
using FedKSeed.Bus;
using FedKSeed.Contracts;
using MassTransit;
using RabbitMQ.Client;

namespace FedKSeed.Cluster.Tests;

public sealed class WireTests(Servers servers)
{
    // AMQP 0-9-1: every frame has type, channel, size and end; the header frame adds class, weight and body size; a body is cut into
    // frames.
    private const int FrameOverhead = 8;
    private const int HeaderFields = 12;
    private const int FrameSize = 131_072 - FrameOverhead;

    /// <summary>
    /// The paper's own arithmetic for a client and a round; ours is with properties, headers, envelopes and frames, and with tracing on.
    /// </summary>
    [Fact]
    public async Task A_client_s_round_takes_at_most_17_988_bytes_of_amqp_at_4096_seeds_and_200_steps()
    {
        using var traces = new ActivityListener
        {
            ShouldListenTo = source => source.Name is "MassTransit" or "FedKSeed",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
        };
        ActivitySource.AddActivityListener(traces);
        await using var service = await SeedServiceOnBroker.StartAsync(servers, "weighs");
        var reports = await service.Tap<ScalarsReported>();
        var assignments = QueueNames.OfClient(SeedServiceOnBroker.Client);

        await service.Publish(new RoundStarted { Federation = "weighs", Round = 1, Participants = [SeedServiceOnBroker.Client] });
        var down = await service.Next(assignments);
        // What a worker sends, it sends while it works off its assignment: the envelope then says which.
        var worker = MassTransit.Bus.Factory.CreateUsingRabbitMq(bus =>
        {
            bus.Host(servers.Of("weighs").Broker);
            FederationBus.UseCompactJson(bus);
            bus.ReceiveEndpoint(assignments, endpoint =>
            {
                FederationBus.UseConventions(endpoint);
                endpoint.HoldAsAClientsQueue();
                endpoint.ConfigureConsumeTopology = false;
                endpoint.Handler<SeedsAssigned>(context => context.Publish(ReportOn(context.Message)));
            });
        });
        await worker.StartAsync(TestContext.Current.CancellationToken);
        await service.Publish(new RoundStarted { Federation = "weighs", Round = 1, Participants = [SeedServiceOnBroker.Client] });
        var up = await service.Next(reports);
        await worker.StopAsync(TestContext.Current.CancellationToken);

        TestContext.Current.SendDiagnosticMessage($"assignment {Bytes(down)} ({down.Body.Length} of body), report {Bytes(up)} "
            + $"({up.Body.Length} of body), together {Bytes(down) + Bytes(up)} bytes");
        Assert.NotEmpty(down.BasicProperties.Headers!);
        Assert.InRange(Bytes(down) + Bytes(up), 10_240 + 800, 17_988);
    }

    private static int Bytes(BasicGetResult message) =>
        FrameOverhead + HeaderFields + ((IAmqpWriteable)new BasicProperties(message.BasicProperties)).GetRequiredBufferSize()
            + message.Body.Length + FrameOverhead * ((message.Body.Length + FrameSize - 1) / FrameSize);

    private static ScalarsReported ReportOn(SeedsAssigned assignment)
    {
        var scalars = new float[assignment.Steps];
        for (var step = 0; step < scalars.Length; step++)
            scalars[step] = MathF.Sin(step) * 3;
        return new ScalarsReported
        {
            Federation = assignment.Federation,
            Assignment = assignment.Assignment,
            BaseVersion = assignment.Version,
            Examples = 100,
            Scalars = MemoryMarshal.AsBytes(scalars.AsSpan()).ToArray(),
            SkippedSteps = [],
        };
    }
}
