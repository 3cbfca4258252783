using FedKSeed.Contracts;
using FedKSeed.Operations;
using FedKSeed.SeedService;
using Microsoft.Extensions.Hosting;

var builder = Host.CreateApplicationBuilder(args);
builder.AddHealthEndpoint();
builder.AddReadiness();
builder.AddTelemetry("fedkseed-seed-service");
builder.AddFederationBus(bus => bus.AddSeedServiceConsumers());
builder.AddSeedService();
await builder.Build().RunAsync();
