using System.CommandLine;
using System.Globalization;
using FedKSeed.Reliability;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
// Most processes live for seconds here: what they would learn about themselves costs more than it brings.
Environment.SetEnvironmentVariable("DOTNET_TieredPGO", "0");
return await new RootCommand("Strikes federations of real processes, and checks that everything promised holds.") { KillsCommand.Create(TimeProvider.System) }
    .Parse(args).InvokeAsync();
