using FedKSeed.Bus;
using FedKSeed.Operations;
using FedKSeed.SeedService;
using Microsoft.Extensions.Hosting;

return await ServiceProgram.RunAsync(args, SeedServiceRegistration.Settings, settings =>
{
    var builder = Host.CreateApplicationBuilder(settings);
    builder.AddHealthEndpoint();
    builder.AddReadiness();
    builder.AddTelemetry("fedkseed-seed-service");
    builder.AddFederationBus(bus => bus.AddSeedServiceConsumers());
    builder.AddSeedService();
    return builder.Build();
});
