using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace FedKSeed.LanguageModels.Devices;

/// <summary>Where a tensor's elements lie, in the memory of its device.</summary>
public static partial class TensorAddress
{
    /// <summary>Address of the first element; of use for contiguous tensors only, and no longer than the tensor lives.</summary>
    public static nint Address(this Tensor tensor) => THSTensor_data(tensor.Handle);

    // What TorchSharp itself calls for spans of tensors on the CPU. Its public storage() costs two more calls and two finalisers each time.
    [LibraryImport("LibTorchSharp")]
    private static partial nint THSTensor_data(nint handle);
}
