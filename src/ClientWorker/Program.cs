using FedKSeed.ClientWorker;
using FedKSeed.Contracts;
using Microsoft.Extensions.Hosting;

var builder = Host.CreateApplicationBuilder(args);
builder.AddFederationBus(bus => bus.AddClientWorkerConsumers(builder.Configuration));
builder.AddClientWorker();
await builder.Build().RunAsync();
