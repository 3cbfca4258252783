using FedKSeed.Cli;

using var interruption = Interruption.OfSignals(Console.Error);
var code = await FedKSeedCommand.InvokeAsync(args, Console.Out, Console.Error, interruption: interruption);
if (interruption.IsRequested)
{
    Console.Out.Flush();
    interruption.Exit(code);
}
return code;
