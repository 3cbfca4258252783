using FedKSeed.Bus;
using FedKSeed.Operations;
using FedKSeed.SeedService;
using Microsoft.Extensions.Hosting;

return await ServiceProgram.RunAsync(() =>
{
    var builder = Host.CreateApplicationBuilder(args);
    builder.AddHealthEndpoint();
    builder.AddReadiness();
    builder.AddTelemetry("fedkseed-seed-service");
    builder.AddFederationBus(bus => bus.AddSeedServiceConsumers());
    builder.AddSeedService();
    return builder.Build();
});
