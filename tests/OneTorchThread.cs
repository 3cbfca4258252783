using System.Runtime.CompilerServices;

namespace FedKSeed.Tests;

/// <summary>The models of these tests are too small for a second thread to help, and tests already run side by side.</summary>
internal static class OneTorchThread
{
    [ModuleInitializer]
    internal static void Set() => TorchSharp.torch.set_num_threads(1);
}
