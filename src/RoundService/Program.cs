using FedKSeed.Contracts;
using FedKSeed.Operations;
using FedKSeed.RoundService;

var builder = WebApplication.CreateBuilder(args);
builder.AddReadiness();
builder.AddTelemetry("fedkseed-round-service");
builder.AddFederationBus(bus => bus.AddRoundServiceConsumers());
builder.AddRoundService();
var app = builder.Build();
app.MapRoundService();
await app.RunAsync();
