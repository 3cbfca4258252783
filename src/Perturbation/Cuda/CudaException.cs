namespace FedKSeed.Perturbation.Cuda;

/// <summary>CUDA is not there, or refuses; the message says what to mend.</summary>
public sealed class CudaException : Exception
{
    public CudaException()
    {
    }

    public CudaException(string message)
        : base(message)
    {
    }

    public CudaException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
