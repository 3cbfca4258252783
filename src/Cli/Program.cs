using FedKSeed.Cli;

return await FedKSeedCommand.InvokeAsync(args, Console.Out, Console.Error);
