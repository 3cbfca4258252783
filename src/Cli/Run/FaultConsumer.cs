using MassTransit;

namespace FedKSeed.Cli.Run;

/// <summary>A message that could not be worked off after all retries ends a run: there is nobody else to take it.</summary>
public sealed class FaultConsumer(RunRecorder recorder) : IConsumer<Fault>
{
    public Task Consume(ConsumeContext<Fault> context)
    {
        var fault = context.Message;
        var message = fault.FaultMessageTypes.FirstOrDefault()?.Split(':')[^1] ?? "A message";
        recorder.Fail($"{message} could not be worked off: {fault.Exceptions.FirstOrDefault()?.Message ?? "no reason given"}");
        return Task.CompletedTask;
    }
}
