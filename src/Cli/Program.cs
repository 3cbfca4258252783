using FedKSeed.Cli;

// Listens until the process is gone: a signal that comes after the work was done must not make its end look like a failure.
var interruption = Interruption.OfSignals(Console.Error);
var code = await FedKSeedCommand.InvokeAsync(args, Console.Out, Console.Error, interruption: interruption);
if (interruption.IsRequested)
{
    Console.Out.Flush();
    interruption.Exit(code);
}
return code;
