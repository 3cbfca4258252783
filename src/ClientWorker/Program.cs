using FedKSeed.Bus;
using FedKSeed.ClientWorker;
using FedKSeed.Operations;
using Microsoft.Extensions.Hosting;

// Steps of torch block the threads that they run on, and messages must go on meanwhile.
ThreadPool.SetMinThreads(Environment.ProcessorCount + 16, Environment.ProcessorCount + 16);
return await ServiceProgram.RunAsync(args, ClientWorkerRegistration.Settings, settings =>
{
    var builder = Host.CreateApplicationBuilder(settings);
    builder.AddHealthEndpoint();
    builder.AddReadiness();
    builder.AddTelemetry("fedkseed-client-worker");
    builder.AddFederationBus(bus => bus.AddClientWorkerConsumers());
    builder.AddClientWorker();
    return builder.Build();
});
