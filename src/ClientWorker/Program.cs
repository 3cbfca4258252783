using FedKSeed.ClientWorker;
using FedKSeed.Contracts;
using FedKSeed.Operations;
using Microsoft.Extensions.Hosting;

var builder = Host.CreateApplicationBuilder(args);
builder.AddHealthEndpoint();
builder.AddTelemetry("fedkseed-client-worker");
builder.AddFederationBus(bus => bus.AddClientWorkerConsumers(builder.Configuration));
builder.AddClientWorker();
await builder.Build().RunAsync();
