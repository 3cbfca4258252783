using FedKSeed.Bus;
using FedKSeed.Operations;
using FedKSeed.RoundService;

return await ServiceProgram.RunAsync(args, RoundServiceRegistration.Settings, settings =>
{
    var builder = WebApplication.CreateBuilder(settings);
    builder.AddReadiness();
    builder.AddTelemetry("fedkseed-round-service");
    builder.AddFederationBus(bus => bus.AddRoundServiceConsumers());
    builder.AddRoundService();
    var app = builder.Build();
    app.MapRoundService();
    return app;
});
