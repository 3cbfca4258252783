using System.CommandLine;
using System.Globalization;
using FedKSeed.Conformance;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
return await new RootCommand("Compares text of real models with what their own software makes of it. Needs node, npm and the npm registry.")
{
    TokenizersCommand.Create(),
    SpeedCommand.Create(),
    TemplatesCommand.Create(),
}.Parse(args).InvokeAsync();
