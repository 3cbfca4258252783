using FedKSeed.Contracts;
using FedKSeed.SeedService;
using Microsoft.Extensions.Hosting;

var builder = Host.CreateApplicationBuilder(args);
builder.AddFederationBus(bus => bus.AddSeedServiceConsumers());
builder.AddSeedService();
await builder.Build().RunAsync();
