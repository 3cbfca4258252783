using FedKSeed.Bus;
using FedKSeed.Operations;
using FedKSeed.RoundService;

return await ServiceProgram.RunAsync(() =>
{
    var builder = WebApplication.CreateBuilder(args);
    builder.AddReadiness();
    builder.AddTelemetry("fedkseed-round-service");
    builder.AddFederationBus(bus => bus.AddRoundServiceConsumers());
    builder.AddRoundService();
    var app = builder.Build();
    app.MapRoundService();
    return app;
});
