using System.CommandLine;
using System.Globalization;
using FedKSeed.Reliability;
using FedKSeed.Reliability.Federations;
using FedKSeed.Reliability.Soak;
using FedKSeed.Reliability.Throughput;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
// Most processes live for seconds here: what they would learn about themselves costs more than it brings.
Environment.SetEnvironmentVariable("DOTNET_TieredPGO", "0");
return await new RootCommand("Strikes federations of real processes, and checks that everything promised holds.")
    {
        KillsCommand.Create(TimeProvider.System),
        SoakCommand.Create(TimeProvider.System),
        ThroughputCommand.Create(TimeProvider.System),
        FederationsCommand.Create(TimeProvider.System),
    }
    // Whoever stops it waits for a dozen processes to end in order.
    .Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromMinutes(1) });
