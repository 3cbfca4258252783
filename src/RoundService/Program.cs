using FedKSeed.Contracts;
using FedKSeed.RoundService;

var builder = WebApplication.CreateBuilder(args);
builder.AddFederationBus(bus => bus.AddRoundServiceConsumers());
builder.AddRoundService();
var app = builder.Build();
app.MapRoundService();
await app.RunAsync();
